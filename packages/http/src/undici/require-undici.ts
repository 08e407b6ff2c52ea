import Module from "node:module"; // not by name: bundles often begin with an `import { createRequire }` of their own
import type { Undici } from "../client/undici-module.js";

/** The copy that this package depends on. Takes some ten ms the first time, a look into the module cache later. */
export function requireUndici(): Undici {
  return Module.createRequire(import.meta.url)("undici") as Undici;
}
