/** How a request goes on that may pass: what the application gets of it, and what its answer says besides. */

import type { Claims } from "@inmesh/model";

export interface Passage {
  /** Path with query in the one spelling; `*` and the authority of a CONNECT as they came. */
  readonly target: string;
  /** In place of the Host line; undefined: as it came. */
  readonly authority: string | undefined;
  /** Lower-case names whose lines are taken out, before `set`. */
  readonly remove: readonly string[];
  /** Lines put in, in lower case, flat `[name, value, …]`. */
  readonly set: readonly string[];
  /** Lines for the answer, flat. */
  readonly answer: readonly string[];
  /** Of the token that was verified. */
  readonly claims: Claims | undefined;
}
