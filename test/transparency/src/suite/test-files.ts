import { readdirSync } from "node:fs";
import { join, relative } from "node:path";

/** Files below `folder`, relative to it, in order. @param accepts judges the relative path */
export function testFiles(folder: string, under: string, accepts: (path: string) => boolean): string[] {
  return readdirSync(join(folder, under), { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map(({ parentPath, name }) => relative(folder, join(parentPath, name)))
    .filter(accepts)
    .sort();
}
