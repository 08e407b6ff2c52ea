import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseDocuments, validateDocument } from "@inmesh/model";
import { afterAll, describe, expect, it } from "vitest";
import { ROOT, readPages } from "./pages.js";
import { supportTable } from "./support-table.js";

const pages = readPages();
const blocks = pages.flatMap((page) => page.blocks);
/** Inside this workspace, so that the packages resolve as they do for a user. */
const GENERATED = join(dirname(fileURLToPath(import.meta.url)), "..", ".generated");

afterAll(() => rmSync(GENERATED, { recursive: true, force: true }));

describe("the docs", () => {
  it("have pages with code in them", () => {
    expect(pages.length).toBeGreaterThan(5);
    expect(blocks.some(({ language }) => language === "ts")).toBe(true);
    expect(blocks.some(({ language }) => language === "yaml")).toBe(true);
  });

  it("type-check every ts block", () => {
    rmSync(GENERATED, { recursive: true, force: true });
    mkdirSync(GENERATED);
    const files = blocks
      .filter(({ language }) => language === "ts")
      .map(({ where, text }) => {
        const file = `${where.replace(/[^a-z0-9]+/gi, "-")}.ts`;
        writeFileSync(join(GENERATED, file), `${text}\nexport {};\n`);
        return file;
      });
    writeFileSync(
      join(GENERATED, "tsconfig.json"),
      JSON.stringify({
        extends: "../../../tsconfig.json",
        compilerOptions: { composite: false, noEmit: true },
        files,
        references: [],
      }),
    );
    const tsc = join(ROOT, "node_modules", "typescript", "bin", "tsc");
    const { stdout, status } = spawnSync(process.execPath, [tsc, "-p", GENERATED], { encoding: "utf8" });
    expect(`${stdout}${status}`).toBe("0");
  }, 60_000);

  const policies = blocks.filter(({ language, text }) => language === "yaml" && /^apiVersion:/m.test(text));

  it.each(policies.map((block) => [block.where, block] as const))(
    "show policy at %s that is as valid as the page says",
    (_, block) => {
      const { documents, problems } = parseDocuments(block.text, { file: block.where, namespace: "default" });
      const all = [...problems, ...documents.flatMap((document) => validateDocument(document).problems)];
      const errors = all.filter(({ severity }) => severity === "error").map(({ message }) => message);
      if (block.tags.includes("bad")) expect(errors).not.toEqual([]);
      else expect(errors).toEqual([]);
    },
  );

  it("link only to what exists", () => {
    const dead = pages.flatMap(({ path, text }) =>
      [...text.matchAll(/\]\((?!https?:|#|mailto:)([^)#\s]+)(?:#[^)]*)?\)/g)]
        .map((match) => match[1]!) // the group is part of every match
        .filter((target) => !existsSync(join(ROOT, dirname(path), target)))
        .map((target) => `${path} -> ${target}`),
    );
    expect(dead).toEqual([]);
  });

  it("list in the support table what the code does not honour", () => {
    const file = join(ROOT, "docs", "reference", "support.md");
    if (process.env["INMESH_UPDATE_DOCS"] === "1") writeFileSync(file, supportTable());
    expect(readFileSync(file, "utf8")).toBe(supportTable());
  });

  it("name no path of a machine", () => {
    expect(pages.filter(({ text }) => /\/(?:home|root|Users)\//.test(text)).map(({ path }) => path)).toEqual([]);
  });
});
