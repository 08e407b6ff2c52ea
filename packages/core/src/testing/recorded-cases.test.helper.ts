/** Answers of others that tests judge by (../shared/cases/README.md): read where they lie, never copied. */

import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { documentFromValue, type Resource } from "@inmesh/model";
import { validResource } from "./policy-resources.test.helper.js";

const REPOSITORY = fileURLToPath(new URL("../../../../", import.meta.url));
const { INMESH_CASES, INMESH_SHARED, INMESH_REQUIRE_PEERS } = process.env;
const FOLDER = INMESH_CASES ?? join(INMESH_SHARED ?? join(REPOSITORY, "../shared"), "cases");

/** Why a file is not judged; undefined when it is there, or must be: reading it then fails. */
export function whyMissing(name: string): string | undefined {
  const file = join(FOLDER, name);
  if (existsSync(file) || INMESH_REQUIRE_PEERS === "1") return undefined;
  return `no recorded cases at ${file}: set INMESH_CASES to their folder`;
}

export function readCaseFile<File>(name: string): File {
  return JSON.parse(readFileSync(join(FOLDER, name), "utf8")) as File;
}

/** @throws when one is refused */
export function resourcesOf(values: readonly unknown[]): Resource[] {
  return values.flatMap((value) => documentFromValue(value).documents).map(validResource);
}

/** The same keys in the same order, so that two answers can be compared as text. */
export function sorted(value: unknown): unknown {
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(
    Object.entries(value)
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([key, part]) => [key, sorted(part)]),
  );
}
