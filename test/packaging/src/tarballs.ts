/** Every package, packed as `npm publish` packs it. */

import { execFileSync } from "node:child_process";
import { readdirSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

export const ROOT = join(dirname(fileURLToPath(import.meta.url)), "..", "..", "..");

export interface Manifest {
  readonly name: string;
  readonly version: string;
  readonly license?: string;
  readonly description?: string;
  readonly keywords?: readonly string[];
  readonly engines?: { readonly node?: string };
  readonly scripts?: Readonly<Record<string, string>>;
  readonly dependencies?: Readonly<Record<string, string>>;
  readonly exports?: Readonly<Record<string, unknown>>;
  readonly bin?: Readonly<Record<string, string>>;
}

export interface Tarball {
  readonly name: string;
  /** Of the package in this repository. */
  readonly folder: string;
  /** The `.tgz`. */
  readonly file: string;
  /** Paths in it, without `package/`. */
  readonly paths: readonly string[];
  readonly manifest: Manifest;
}

export function readManifest(folder: string): Manifest {
  return JSON.parse(readFileSync(join(folder, "package.json"), "utf8"));
}

/** @param into an existing folder */
export function packAll(into: string): readonly Tarball[] {
  const folders = readdirSync(join(ROOT, "packages")).map((name) => join(ROOT, "packages", name));
  const manifests = new Map(folders.map((folder) => [readManifest(folder).name, folder]));
  const args = ["pack", "--json", "--pack-destination", into, ...folders.flatMap((folder) => ["-w", folder])];
  const printed = JSON.parse(execFileSync("npm", args, { cwd: ROOT, encoding: "utf8" }));
  // npm 12 prints an object by package name, npm 10 and 11 an array.
  const packed = Object.values(printed) as { name: string; filename: string; files: { path: string }[] }[];
  return packed.map(({ name, filename, files }) => {
    const folder = manifests.get(name)!; // it packed what it was told to
    return {
      name,
      folder,
      file: join(into, filename),
      paths: files.map(({ path }) => path),
      manifest: readManifest(folder),
    };
  });
}

/** What users import, `package.json` apart: `@inmesh/node`, `@inmesh/node/register`, … */
export function specifiers({ name, manifest }: Tarball): string[] {
  return Object.keys(manifest.exports ?? {})
    .filter((path) => path !== "./package.json")
    .map((path) => `${name}${path.slice(1)}`);
}
