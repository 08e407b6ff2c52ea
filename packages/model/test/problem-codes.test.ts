/** The page of problems and the table in the code say the same. */

import { readFileSync } from "node:fs";
import { expect, it } from "vitest";
import { SET_PROBLEM_CODES } from "../src/analyze/codes.js";
import { DOCUMENT_PROBLEM_CODES } from "../src/problem-code.js";

it("docs/reference/problems.md explains every code, in the same words", () => {
  const page = readFileSync(new URL("../../../docs/reference/problems.md", import.meta.url), "utf8");
  for (const [code, meaning] of Object.entries({ ...DOCUMENT_PROBLEM_CODES, ...SET_PROBLEM_CODES })) {
    const row = page.split("\n").find((line) => line.startsWith(`| ${code} |`));
    expect(row, code).toContain(meaning);
  }
});
