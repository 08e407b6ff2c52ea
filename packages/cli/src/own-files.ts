/** Files of this package by its name: what it is built into lies elsewhere than its sources. */

import { createRequire } from "node:module";
import { dirname, join } from "node:path";

const require = createRequire(import.meta.url);

export const PACKAGE = dirname(require.resolve("inmesh/package.json"));
/** What a user types. */
export const PROGRAM = join(PACKAGE, "bin", "inmesh.js");

/** @returns a program that ends by itself once its parent has */
export function reaperProgram(): string {
  return require.resolve("#reaper");
}
