/** A test suite of others, checked out and installed in a folder. */

import type { Outcome } from "../run/outcome.js";

export interface Suite {
  readonly name: string;
  /** Node options its own scripts set. */
  readonly nodeOptions?: readonly string[];
  /** Test files of the checkout, relative to it. */
  files(folder: string): string[];
  run(folder: string, files: readonly string[], env: NodeJS.ProcessEnv): Promise<Outcome[]>;
}
