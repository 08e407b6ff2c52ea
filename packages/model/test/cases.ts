/** Finds the outside cases (see ../shared/cases/README.md); they are read where they lie and never copied. */

import { existsSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";

const ROOT = fileURLToPath(new URL("../../..", import.meta.url));

/** The parsed file, or undefined, said aloud, when the cases are not there. Under INMESH_REQUIRE_PEERS=1 that fails. */
export function readCases<T>(name: string): { readonly cases: readonly T[] } | undefined {
  const path = pathOf(name);
  return path === undefined ? undefined : (JSON.parse(readFileSync(path, "utf8")) as { cases: T[] });
}

/** The folder of recordings, under the same conditions. */
export function casesFolder(name: string): string | undefined {
  return pathOf(name);
}

function pathOf(name: string): string | undefined {
  const { INMESH_CASES, INMESH_SHARED, INMESH_REQUIRE_PEERS } = process.env;
  const folder = INMESH_CASES ?? (INMESH_SHARED === undefined ? `${ROOT}../shared/cases` : `${INMESH_SHARED}/cases`);
  const path = `${folder}/${name}`;
  if (existsSync(path)) return path;
  if (INMESH_REQUIRE_PEERS === "1") throw new Error(`outside cases are required, and ${path} is not there`);
  console.warn(`SKIPPED: no outside cases at ${path}; set INMESH_CASES`);
  return undefined;
}
