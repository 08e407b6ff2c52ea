// What vitest's JSON reporter left in the workspaces.

import { existsSync, readdirSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

export const root = join(dirname(fileURLToPath(import.meta.url)), "..");

/** Results of the second hearing. */
export const AGAIN = "again-results.json";

/** @returns folders of all workspaces, from the top */
export function workspaces() {
  return ["packages", "test", "examples"]
    .filter((folder) => existsSync(join(root, folder)))
    .flatMap((folder) => readdirSync(join(root, folder)).map((name) => `${folder}/${name}`));
}

export function resultsIn(workspace, name) {
  return join(root, workspace, "node_modules", ".cache", name);
}

/** @returns undefined where there are none */
export function readResults(workspace, name) {
  const file = workspace && resultsIn(workspace, name);
  return file && existsSync(file) ? JSON.parse(readFileSync(file, "utf8")) : undefined;
}

/** @returns files with a test that failed, or that could not be run; and how many tests these are */
export function failingFiles(results) {
  const failing = (results?.testResults ?? []).filter(({ status }) => status === "failed");
  const tests = failing.reduce(
    (sum, { assertionResults }) => sum + Math.max(1, assertionResults.filter(isFailed).length),
    0,
  );
  return { files: failing.map(({ name }) => name), tests };
}

export function isFailed({ status }) {
  return status === "failed";
}
