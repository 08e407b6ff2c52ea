import Module from "node:module";
import type { ParseYaml } from "../settings/settings-file.js";

/** For a process whose first line waits, and which most likely has nothing to be parsed. */
export function requireYaml(): ParseYaml {
  return (Module.createRequire(import.meta.url)("yaml") as typeof import("yaml")).parseDocument;
}
