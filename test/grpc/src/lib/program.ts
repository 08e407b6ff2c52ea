/** Programs started the way a user starts them, in a mesh whose registry is a folder. */

import { execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";

/** Of this workspace: names of packages resolve from here. */
const HERE = fileURLToPath(new URL("../..", import.meta.url));

/** A registry of these documents. */
export function registryFolder(documents: readonly string[], closing: (() => unknown)[]): string {
  const folder = mkdtempSync(join(tmpdir(), "inmesh-grpc-"));
  closing.push(() => rmSync(folder, { recursive: true, force: true }));
  writeFileSync(join(folder, "policy.yaml"), documents.join("\n---\n"));
  return folder;
}

export interface ProgramOptions {
  readonly folder: string;
  /** @default the node that runs the tests */
  readonly node?: string;
  readonly env?: Readonly<Record<string, string>>;
}

/** What a program printed behind the word `called`, after it ended well and without a word on stderr. */
export async function called(args: readonly string[], { folder, node, env }: ProgramOptions): Promise<unknown> {
  const child = spawn(node ?? process.execPath, args, {
    cwd: HERE,
    env: { PATH: process.env["PATH"], HOME: folder, INMESH_CONFIG: folder, INMESH_SERVICE: "shop", ...env },
    stdio: ["ignore", "pipe", "pipe"],
  });
  let out = "";
  let errors = "";
  child.stdout.on("data", (chunk) => {
    out += chunk;
  });
  child.stderr.on("data", (chunk) => {
    errors += chunk;
  });
  const [code] = await once(child, "close");
  const found = /^called (.*)$/m.exec(out)?.[1];
  return code !== 0 || found === undefined || errors !== "" ? { code, out, errors } : JSON.parse(found);
}

/** @returns path of that Node, or undefined when npx cannot have it */
export async function nodeOfLine(line: string): Promise<string | undefined> {
  const { NODE_OPTIONS: _, ...env } = process.env;
  try {
    const options = { env, cwd: HERE, timeout: 50_000 };
    const { stdout } = await promisify(execFile)("npx", ["-y", `node@${line}`, "-p", "process.execPath"], options);
    return stdout.trim().split("\n").at(-1);
  } catch (error) {
    if (process.env["INMESH_REQUIRE_PEERS"] === "1") throw error;
    return undefined;
  }
}
