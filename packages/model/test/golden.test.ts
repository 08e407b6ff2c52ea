/**
 * Corner cases of Istio's policy: `golden/x.yaml` compiles into `golden/x.snapshot.json`, and `inmesh analyze` says
 * `golden/x.problems.json` of it. On a difference that is meant: INMESH_UPDATE_DOCS=1 npx vitest run --root packages/model
 * golden, and read every line that changed.
 */

import { existsSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";
import { readGoldenCase } from "./golden-case.js";
import { snapshotText } from "./snapshot-text.js";

const FOLDER = fileURLToPath(new URL("golden/", import.meta.url));
const UPDATE = process.env["INMESH_UPDATE_DOCS"] === "1";

const files = readdirSync(FOLDER);
const names = files.filter((file) => file.endsWith(".yaml")).map((file) => file.slice(0, -".yaml".length));

/** One level per line, until a part fits into one: changes then show where they are. */
function jsonText(value: unknown, indent = ""): string {
  const short = JSON.stringify(value);
  if (typeof value !== "object" || value === null) return short;
  if (indent.length + short.length <= 120 && !/^\{.*[{[]/.test(short)) return short;
  const inner = `${indent}  `;
  const [open, close, parts] = Array.isArray(value)
    ? ["[", "]", value.map((item) => jsonText(item, inner))]
    : ["{", "}", Object.entries(value).map(([key, item]) => `${JSON.stringify(key)}: ${jsonText(item, inner)}`)];
  if (parts.length === 0) return `${open}${close}`;
  return `${open}\n${parts.map((part) => `${inner}${part}`).join(",\n")}\n${indent}${close}`;
}

describe("golden", () => {
  it("has an answer to every case, and none to others", () => {
    const answers = names.flatMap((name) => [`${name}.yaml`, `${name}.snapshot.json`, `${name}.problems.json`]);
    if (!UPDATE) expect([...files].sort()).toEqual(answers.sort());
    expect(names.length).toBeGreaterThan(20);
  });

  it.each(names)("%s", (name) => {
    const { snapshot, asked, problems } = readGoldenCase(readFileSync(`${FOLDER}${name}.yaml`, "utf8"), `${name}.yaml`);
    const told = problems.map(
      ({ severity, code, line, path, message }) => `${line}: ${severity} ${code} ${path}: ${message}`,
    );
    for (const [kind, value] of Object.entries({ snapshot: snapshotText(snapshot, asked), problems: told })) {
      const file = `${FOLDER}${name}.${kind}.json`;
      const text = `${jsonText(value)}\n`;
      if (UPDATE) writeFileSync(file, text);
      expect(existsSync(file) && readFileSync(file, "utf8"), file).toBe(text);
    }
  });
});
