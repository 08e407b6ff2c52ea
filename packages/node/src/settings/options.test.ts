import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";
import { FOREIGN_VARIABLES, SETTING_NAMES, SETTINGS } from "./options.js";

const page = readFileSync(
  fileURLToPath(new URL("../../../../docs/reference/configuration.md", import.meta.url)),
  "utf8",
);

describe("docs/reference/configuration.md", () => {
  it("lists every option with its variable, in the order of the table in code, and none that does not exist", () => {
    const rows = [...page.matchAll(/^\| `(\w+)` \| `(INMESH_\w+)` \|/gm)].map(([, name, variable]) => [name, variable]);
    expect(rows).toEqual(SETTING_NAMES.map((name) => [name, SETTINGS[name].variable]));
  });

  it("names no variable that nothing reads", () => {
    const known = new Set<string>([...SETTING_NAMES.map((name) => SETTINGS[name].variable), ...FOREIGN_VARIABLES]);
    const named = [...page.matchAll(/\bINMESH_[A-Z_]+\b/g)].map(([variable]) => variable);
    expect(named.filter((variable) => !known.has(variable))).toEqual([]);
  });
});
