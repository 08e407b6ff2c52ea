/** Which files of a folder are policy: `*.yaml`, `*.yml` and `*.json` at any depth, dot-folders and packages left out. */

import type { Dirent } from "node:fs";
import { join } from "node:path";
import { errorCode, type FileStat, type FileSystem } from "./files.js";

/** A registry is written by people: more than this is a wrong folder, such as the root of a disk. */
const MAX_FILES = 10_000;
const MAX_DEPTH = 16;

export interface PolicyTree {
  /** By path relative to the root, `/` between its parts. */
  readonly files: ReadonlyMap<string, FileStat>;
  /** Directories by relative path, the root as "". */
  readonly directories: ReadonlyMap<string, FileStat>;
  /** Directories that could not be listed, by relative path, and why. */
  readonly hidden: ReadonlyMap<string, string>;
  /** Whether the limits above left something out. */
  readonly truncated: boolean;
}

/**
 * @param root a folder, or one file
 * @throws NodeJS.ErrnoException when the root itself cannot be read
 */
export async function readPolicyTree(fileSystem: FileSystem, root: string): Promise<PolicyTree> {
  const files = new Map<string, FileStat>();
  const directories = new Map<string, FileStat>();
  const hidden = new Map<string, string>();
  let truncated = false;
  const visit = async (path: string, stat: FileStat, depth: number, above: ReadonlySet<string>): Promise<void> => {
    directories.set(path, stat);
    const entries = await fileSystem.list(join(root, path), isWanted);
    const folders: { path: string; stat: FileStat }[] = [];
    for (const entry of entries) {
      const entryPath = path === "" ? entry.name : `${path}/${entry.name}`;
      if (!entry.directory) {
        if (!isPolicyFile(entry.name)) continue; // a link that had to be followed to know
        if (files.size >= MAX_FILES) truncated = true;
        else files.set(entryPath, entry);
      } else if (depth >= MAX_DEPTH) truncated = true;
      else if (!above.has(entry.id)) folders.push({ path: entryPath, stat: entry }); // a link to a folder above never ends
    }
    for (const folder of folders) {
      try {
        await visit(folder.path, folder.stat, depth + 1, new Set([...above, folder.stat.id]));
      } catch (error) {
        hidden.set(folder.path, errorCode(error));
      }
    }
  };
  const rootStat = await fileSystem.stat(root);
  if (rootStat.directory) await visit("", rootStat, 0, new Set([rootStat.id]));
  else files.set("", rootStat);
  return { files, directories, hidden, truncated };
}

function isWanted(name: string, entry: Dirent): boolean {
  if (name.startsWith(".")) return false;
  if (entry.isFile()) return isPolicyFile(name);
  return name !== "node_modules";
}

/** By its name alone. */
export function isPolicyFile(name: string): boolean {
  return /\.(ya?ml|json)$/i.test(name);
}
