/** The policy a command line names: files, folders, `-` for stdin. Folders are read as the registry reads its own. */

import { readdir, readFile, stat } from "node:fs/promises";
import { isAbsolute, join } from "node:path";
import type { Cli } from "../cli.js";
import { CliError, EXIT, systemReason } from "../exit.js";
import { readAll } from "../io.js";

export interface PolicyText {
  /** As problems name it: the argument as typed, or the path below the folder that was typed. */
  readonly file: string;
  readonly text: string;
}

const MAX_FILES = 10_000;
const MAX_BYTES = 8 * 1024 * 1024;
const MAX_DEPTH = 16;
const POLICY_FILE = /\.(ya?ml|json)$/i;

/**
 * Each file once, in the order typed and then by path.
 * @param pattern of files in folders @default YAML and JSON
 * @throws {CliError} for what cannot be read
 */
export async function readPolicyTexts(
  names: readonly string[],
  { io, trace }: Cli,
  pattern = POLICY_FILE,
): Promise<PolicyText[]> {
  const texts = new Map<string, PolicyText>();
  for (const name of names) {
    if (name === "-") {
      if (!texts.has("-")) texts.set("-", { file: "stdin", text: await readAll(io.stdin) });
      continue;
    }
    for (const file of await listFiles(name, io.cwd, pattern)) {
      const path = isAbsolute(file) ? file : join(io.cwd, file);
      if (texts.has(path)) continue;
      if (texts.size >= MAX_FILES) throw tooMany(name);
      const text = await readText(file, path);
      trace(`read ${file}: ${text.length} characters`);
      texts.set(path, { file, text });
    }
  }
  return [...texts.values()];
}

async function listFiles(name: string, cwd: string, pattern: RegExp): Promise<string[]> {
  const path = isAbsolute(name) ? name : join(cwd, name);
  const found = await stat(path).catch((error: unknown) => {
    throw unreadable(name, error);
  });
  return found.isDirectory() ? listFolder(name, path, pattern, new Set([`${found.dev}:${found.ino}`]), 0) : [name];
}

/** @param above identities of the folders on the way here: a link to one of them never ends */
async function listFolder(
  name: string,
  path: string,
  pattern: RegExp,
  above: ReadonlySet<string>,
  depth: number,
): Promise<string[]> {
  const entries = await readdir(path).catch((error: unknown) => {
    throw unreadable(name, error);
  });
  const files: string[] = [];
  for (const entry of entries.sort()) {
    if (entry.startsWith(".") || entry === "node_modules") continue;
    const entryName = join(name, entry);
    const found = await stat(join(path, entry)).catch(() => undefined); // a dangling link names nothing
    if (found === undefined) continue;
    if (!found.isDirectory()) {
      if (pattern.test(entry)) files.push(entryName);
      continue;
    }
    const id = `${found.dev}:${found.ino}`;
    if (depth < MAX_DEPTH && !above.has(id)) {
      files.push(...(await listFolder(entryName, join(path, entry), pattern, new Set([...above, id]), depth + 1)));
    }
    if (files.length > MAX_FILES) throw tooMany(name);
  }
  return files;
}

async function readText(file: string, path: string): Promise<string> {
  const bytes = await readFile(path).catch((error: unknown) => {
    throw unreadable(file, error);
  });
  if (bytes.length > MAX_BYTES) {
    throw new CliError(
      EXIT.usage,
      `${file} has ${bytes.length} bytes, at most ${MAX_BYTES} are read`,
      "Split the file.",
    );
  }
  return bytes.toString("utf8");
}

function unreadable(file: string, error: unknown): CliError {
  return new CliError(
    EXIT.usage,
    `"${file}" cannot be read: ${systemReason(error) ?? String(error)}`,
    "Check the path, or give - to read from standard input.",
  );
}

function tooMany(name: string): CliError {
  return new CliError(EXIT.usage, `"${name}" holds more than ${MAX_FILES} policy files`, "Name a smaller folder.");
}
