/** What `npm install @inmesh/node` brings, package by package. */

import { readdirSync, statSync } from "node:fs";
import { join } from "node:path";
import { type Manifest, readManifest } from "./tarballs.js";

export interface Installed {
  readonly name: string;
  readonly manifest: Manifest;
  /** Sum of its files, in bytes. */
  readonly bytes: number;
  /** Names of the installed packages that ask for it. */
  readonly askedBy: readonly string[];
}

/** Every package under `node_modules` of a folder, nested ones included, by name. */
export function readInstalled(folder: string): readonly Installed[] {
  const found = [...packages(join(folder, "node_modules"))].map((path) => ({ path, manifest: readManifest(path) }));
  return found
    .map(({ path, manifest }) => ({
      name: manifest.name,
      manifest,
      bytes: bytesOf(path),
      askedBy: found
        .filter((each) => manifest.name in (each.manifest.dependencies ?? {}))
        .map((each) => each.manifest.name),
    }))
    .sort((a, b) => a.name.localeCompare(b.name));
}

export const isOurs = ({ name }: Installed): boolean => name.startsWith("@inmesh/") || name === "inmesh";

function* packages(folder: string): Generator<string> {
  for (const entry of readdirSync(folder, { withFileTypes: true })) {
    const path = join(folder, entry.name);
    if (!entry.isDirectory() || entry.name.startsWith(".")) continue;
    if (entry.name.startsWith("@")) yield* packages(path);
    else {
      yield path;
      if (readdirSync(path).includes("node_modules")) yield* packages(join(path, "node_modules"));
    }
  }
}

/** Without what is nested in it: that counts for itself. */
function bytesOf(folder: string): number {
  let bytes = 0;
  for (const entry of readdirSync(folder, { withFileTypes: true })) {
    if (entry.name === "node_modules") continue;
    const path = join(folder, entry.name);
    bytes += entry.isDirectory() ? bytesOf(path) : statSync(path).size;
  }
  return bytes;
}
