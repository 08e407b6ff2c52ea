import { existsSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { MESH_ERRORS } from "@inmesh/core";
import { describe, expect, it } from "vitest";
import { judgeTexts } from "../input/judge.js";
import { judgeSet } from "../input/judge-set.js";
import { runCli } from "../testing/run-cli.js";
import { ERROR_HELP } from "./error-help.js";
import { allCodes, explainCode } from "./explain-code.js";
import { GOOD_DOCUMENTS, GOOD_ELSEWHERE } from "./good-example.js";
import { PROBLEM_HELP } from "./problem-help.js";

const page = (name: string): string => fileURLToPath(new URL(`../../../../docs/reference/${name}`, import.meta.url));
const UPDATE = process.env["INMESH_UPDATE_DOCS"] === "1";

/** Compares what stands between two markers with what the code says; INMESH_UPDATE_DOCS=1 writes it. */
function expectGenerated(file: string, generated: string): void {
  const text = readFileSync(file, "utf8");
  const between = /(<!-- generated[^>]*-->\n)([\s\S]*?)(<!-- end -->)/;
  const [, , found] = between.exec(text) ?? [];
  if (UPDATE)
    writeFileSync(
      file,
      text.replace(between, (_, begin, __, end) => `${begin}${generated}${end}`),
    );
  else expect(found).toBe(generated);
}

function sources(folder: string): string[] {
  if (!existsSync(folder)) return [];
  const entries = readdirSync(folder, { recursive: true, encoding: "utf8" });
  return entries.filter((entry) => /(?<!\.test)\.ts$/.test(entry)).map((entry) => join(folder, entry));
}

/** Lines of at most 125 letters, the later ones indented. */
function item(text: string): string {
  const lines: string[] = [];
  for (const word of text.match(/(?:`[^`]*`|[^ ])+/g) ?? []) {
    const last = lines.at(-1);
    if (last === undefined || last.length + 1 + word.length > 125) lines.push(lines.length === 0 ? word : `  ${word}`);
    else lines[lines.length - 1] = `${last} ${word}`;
  }
  return `${lines.join("\n")}\n`;
}

describe("help and docs", () => {
  // A new code needs its words in src/codes/error-help.ts or src/codes/problem-help.ts; then: INMESH_UPDATE_DOCS=1.
  it.each(allCodes())("%s is explained, with what to do and an example", (code) => {
    const explained = explainCode(code);
    expect(explained?.remedy, code).toMatch(/^\S.*\.$/);
    expect(explained?.example, code).not.toBe("");
    expect(explained?.meaning, code).toMatch(/^\S.*[^.]$/);
  });

  it("know no code that nothing says", () => {
    expect(Object.keys(ERROR_HELP).filter((code) => !Object.hasOwn(MESH_ERRORS, code))).toEqual([]);
  });

  it("explain every code that our sources write", () => {
    const packages = fileURLToPath(new URL("../../..", import.meta.url));
    const files = readdirSync(packages).flatMap((name) => sources(join(packages, name, "src")));
    const written = new Set(files.flatMap((file) => readFileSync(file, "utf8").match(/"I(?:ST|M)\d{4}"/g) ?? []));
    expect(written.size).toBeGreaterThan(20);
    expect([...written].map((quoted) => JSON.parse(quoted)).filter((code) => explainCode(code) === undefined)).toEqual(
      [],
    );
  });

  const examples = Object.entries(PROBLEM_HELP).flatMap(([code, { yaml }]) =>
    yaml === undefined ? [] : [[code, yaml]],
  );
  it.each(examples as [string, string][])("the example of %s has that problem", (code, yaml) => {
    const judged = judgeTexts([{ file: "example.yaml", text: yaml }], "shop");
    const codes = judgeSet(judged, []).map((problem) => problem.code);
    expect(codes).toContain(code);
  });

  it.each(examples as [string, string][])("the example of %s is right where it is put right", (code) => {
    const judged = judgeTexts([{ file: "example.yaml", text: GOOD_DOCUMENTS[code] ?? "" }], "shop");
    expect(judged.documents.length + judged.passedOver.length).toBeGreaterThan(0);
    const problems = judgeSet(judged, []);
    expect(problems.filter((problem) => problem.code === code || problem.severity === "error")).toEqual([]);
  });

  it("show for every problem how it looks put right", () => {
    const good = Object.keys({ ...GOOD_DOCUMENTS, ...GOOD_ELSEWHERE }).sort();
    expect(good).toEqual(Object.keys(PROBLEM_HELP).sort());
    expect(good.filter((code) => !explainCode(code)?.good)).toEqual([]);
  });

  it("agree on errors", () => {
    const items = Object.keys(MESH_ERRORS).map((code) => item(`- **${code}**: ${ERROR_HELP[code]?.remedy}`));
    expectGenerated(page("errors.md"), items.join(""));
  });

  it("agree on problems", () => {
    const rows = Object.entries(PROBLEM_HELP).map(
      ([code, { severity, when, remedy }]) => `| ${code} | ${severity} | ${when} | ${remedy} |\n`,
    );
    expectGenerated(
      page("problems.md"),
      `| code | severity | when | what to do |\n|---|---|---|---|\n${rows.join("")}`,
    );
  });
});

describe("inmesh help", () => {
  it("explains a code in any case", async () => {
    const { code, stdout } = await runCli(["help", "no_endpoint"]);
    expect(code).toBe(0);
    expect(stdout).toMatch(/^NO_ENDPOINT {2}error of a call: HTTP 503, gRPC 14, trying elsewhere may help, flag UH\n/);
    expect(stdout).toContain("What to do\n  The service is known and nobody serves it");
    expect(stdout).toContain("Example\n  no endpoint for");
  });

  it("explains a problem with documents that have it", async () => {
    const { stdout } = await runCli(["help", "IST0130"]);
    expect(stdout).toMatch(/\nExample\n[\s\S]*kind: VirtualService[\s\S]*\nPut right\n[\s\S]*kind: VirtualService/);
    expect((await runCli(["help", "IST0130", "--json"])).json()).toMatchObject({ code: "IST0130", type: "problem" });
  });

  it("lists every code", async () => {
    expect((await runCli(["help", "codes", "-o", "name"])).stdout.trim().split("\n")).toEqual(allCodes());
  });

  it("describes commands, and itself", async () => {
    expect((await runCli(["help"])).stdout).toContain("Start here:");
    expect((await runCli(["help", "apply"])).stdout).toBe((await runCli(["apply", "--help"])).stdout);
  });

  it.each([
    ["IST0131x", "Did you mean"],
    ["aply", 'Did you mean "apply"?'],
    ["toString", "is no command and no code"],
  ])("says of %s that it is neither", async (topic, message) => {
    const { code, stderr } = await runCli(["help", topic]);
    expect([code, stderr]).toEqual([2, expect.stringContaining(message)]);
  });
});
