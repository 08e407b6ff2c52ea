import { readFileSync } from "node:fs";
import { expect, it } from "vitest";
import { REGISTRY_PROBLEMS } from "./registry-problem.js";

it("docs/reference/problems.md explains every problem of a registry, in the same words", () => {
  const page = readFileSync(new URL("../../../../docs/reference/problems.md", import.meta.url), "utf8");
  for (const [code, meaning] of Object.entries(REGISTRY_PROBLEMS)) {
    const row = page.split("\n").find((line) => line.startsWith(`| ${code} |`));
    expect(row, code).toContain(meaning);
  }
});
