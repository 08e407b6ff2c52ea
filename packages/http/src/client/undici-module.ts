/** undici as an argument: a preload loads it on the first request only, a bundled application brings its own import. */

import { createRequire } from "node:module";

export type Undici = Pick<
  typeof import("undici"),
  "Agent" | "buildConnector" | "Client" | "Dispatcher" | "errors" | "interceptors" | "util"
>;

/** The copy that this package depends on. Takes some ten ms the first time, a look into the module cache later. */
export function requireUndici(): Undici {
  return createRequire(import.meta.url)("undici") as Undici;
}
