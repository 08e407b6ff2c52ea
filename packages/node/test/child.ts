/** An application of fixture/ in a process of its own, meshed or not, and ended with its test. */

import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";

export const REGISTER = fileURLToPath(new URL("../dist/register.js", import.meta.url));

export interface ChildOptions {
  readonly service?: string;
  readonly folder: string;
  /** How the mesh gets in. @default "import" */
  readonly load?: "import" | "require" | "none";
  readonly env?: Readonly<Record<string, string>>;
  readonly args?: readonly string[];
  readonly nodeArgs?: readonly string[];
  readonly cwd?: string;
  /** Open files that it inherits, from 3 on. */
  readonly fds?: readonly number[];
}

export interface Child {
  readonly process: ChildProcess;
  readonly out: () => string;
  readonly errors: () => string;
  /** Resolves with the first group of `pattern` once it was printed. */
  printed(pattern: RegExp): Promise<string>;
  /** Port of its first server. */
  port(): Promise<number>;
  readonly exited: Promise<{ readonly code: number | null; readonly signal: string | null }>;
}

const running: ChildProcess[] = [];
const folders: string[] = [];

/** Of all that a test has started, and its folders; called after each (setup.ts). */
export async function endChildren(): Promise<void> {
  for (const child of running.splice(0)) {
    if (child.exitCode !== null || child.signalCode !== null) continue;
    child.kill("SIGKILL");
    await once(child, "exit");
  }
  for (const folder of folders.splice(0)) rmSync(folder, { recursive: true, force: true });
}

/** A registry folder of its own, removed after the test. */
export function newFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), "inmesh-node-"));
  folders.push(folder);
  return folder;
}

/** @param fixture file name in fixture/, or an absolute path */
export function start(fixture: string, options: ChildOptions): Child {
  const { service = "app", folder, load = "import", env = {}, args = [], nodeArgs = [], cwd, fds = [] } = options;
  const file = fixture.startsWith("/") ? fixture : fileURLToPath(new URL(`./fixture/${fixture}`, import.meta.url));
  const preload = { import: ["--import", pathToFileURL(REGISTER).href], require: ["--require", REGISTER], none: [] }[
    load
  ];
  const child = spawn(process.execPath, [...preload, ...nodeArgs, file, ...args], {
    cwd: cwd ?? folder,
    env: {
      PATH: process.env["PATH"],
      HOME: folder,
      XDG_CACHE_HOME: join(folder, ".cache"),
      INMESH_SERVICE: service,
      INMESH_CONFIG: folder,
      ...env,
    },
    stdio: ["ignore", "pipe", "pipe", ...fds],
  });
  running.push(child);
  let out = "";
  let errors = "";
  child.stdout.on("data", (chunk) => {
    out += chunk;
  });
  child.stderr.on("data", (chunk) => {
    errors += chunk;
  });
  const exited = once(child, "close").then(([code, signal]) => ({ code, signal }));
  const printed = (pattern: RegExp): Promise<string> =>
    new Promise((resolve, reject) => {
      const look = (): void => {
        const found = pattern.exec(out);
        if (found !== null) resolve(found[1] ?? found[0]);
      };
      child.stdout.on("data", look);
      child.once("close", () => reject(new Error(`it ended without printing ${pattern}: ${out}${errors}`)));
      look();
    });
  return {
    process: child,
    out: () => out,
    errors: () => errors,
    printed,
    port: async () => Number(await printed(/port (\d+)/)),
    exited,
  };
}

export async function ask(
  port: number,
  path: string,
  headers: Record<string, string> = {},
): Promise<{ status: number; text: string }> {
  const response = await fetch(`http://127.0.0.1:${port}${path}`, { headers });
  return { status: response.status, text: await response.text() };
}

/** Lease files of a registry folder, by name; none while nobody has registered. */
export function leases(folder: string): Map<string, string> {
  const directory = join(folder, ".workloads");
  if (!existsSync(directory)) return new Map();
  const names = readdirSync(directory).filter((name) => name.endsWith(".yaml"));
  return new Map(names.map((name) => [name, readFileSync(join(directory, name), "utf8")]));
}
