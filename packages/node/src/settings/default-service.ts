/** The name of a service that nobody named. */

import { readFileSync } from "node:fs";
import { basename, dirname, join } from "node:path";

/** The nearest package.json's name without its scope, else the program's file name, as a DNS label. */
export function defaultService(cwd: string, program: string | undefined): string {
  const named = toLabel(packageName(cwd).replace(/^@[^/]*\//, ""));
  if (named !== "") return named;
  return toLabel(program === undefined ? "" : basename(program).replace(/\.\w+$/, "")) || "app";
}

/** Lower-case letters, digits and inner hyphens, at most 63. */
export function toLabel(name: string): string {
  return name
    .toLowerCase()
    .replaceAll(/[^a-z0-9]+/g, "-")
    .replace(/^-/, "")
    .slice(0, 63)
    .replace(/-$/, "");
}

function packageName(folder: string): string {
  for (let at = folder; ; at = dirname(at)) {
    const name = readName(join(at, "package.json"));
    if (name !== undefined) return name;
    if (dirname(at) === at) return "";
  }
}

/** Undefined when there is no such file. A file without a usable name ends the search: it is the package we are in. */
function readName(path: string): string | undefined {
  let source: string;
  try {
    source = readFileSync(path, "utf8");
  } catch {
    return undefined;
  }
  try {
    const parsed: unknown = JSON.parse(source);
    return typeof parsed === "object" && parsed !== null && "name" in parsed && typeof parsed.name === "string"
      ? parsed.name
      : "";
  } catch {
    return "";
  }
}
