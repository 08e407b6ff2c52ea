/**
 * Every field of Consul's config entries: `golden/x.json` holds entries, `golden/x.yaml` the documents and the problems they
 * become. On a difference that is meant: INMESH_UPDATE_DOCS=1 npx vitest run --root packages/consul golden, and read it.
 */

import { existsSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { validateDocument } from "@inmesh/model";
import { stringifyDocument } from "@inmesh/model/internal";
import { describe, expect, it } from "vitest";
import { type ConfigEntryInput, translateConfigEntries } from "../src/config-entry/index.js";

const FOLDER = fileURLToPath(new URL("golden/", import.meta.url));
const UPDATE = process.env["INMESH_UPDATE_DOCS"] === "1";

const names = readdirSync(FOLDER)
  .filter((file) => file.endsWith(".json"))
  .map((file) => file.slice(0, -".json".length));

describe("config entries become", () => {
  it.each(names)("%s", (name) => {
    const given = JSON.parse(readFileSync(`${FOLDER}${name}.json`, "utf8")) as Partial<ConfigEntryInput>;
    const input = { entries: [], services: [], namespace: "default", datacenter: "dc1", ...given };
    const { documents, problems } = translateConfigEntries(input);
    const told = problems.map(({ severity, code, file, message }) => `# ${severity} ${code} ${file}: ${message}\n`);
    const texts = documents.map(({ value, origin }) => `# ${origin.file}\n${stringifyDocument(value)}`);
    const text = `${told.join("")}---\n${texts.join("---\n")}`;
    const file = `${FOLDER}${name}.yaml`;
    if (UPDATE) writeFileSync(file, text);
    expect(existsSync(file) && readFileSync(file, "utf8"), file).toBe(text);
    const refused = documents.flatMap((document) => validateDocument(document).problems);
    // Of every refusal by path or method Istio says that it refuses connections which are no HTTP, too (IST0133).
    expect(refused.filter(({ severity, code }) => severity !== "info" && code !== "IST0133")).toEqual([]);
    expect(new Set(documents.map(({ key }) => key)).size).toBe(documents.length);
  });
});
