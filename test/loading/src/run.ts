/** Programs started the way a user starts them, in the mesh of this suite, and what became of them. */

import { type ChildProcess, execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { inject } from "vitest";

/** Of this workspace: names of packages resolve from here. */
export const HERE = fileURLToPath(new URL("..", import.meta.url));
export const IMPORT = ["--import", "@inmesh/node/register"];
export const REQUIRE = ["--require", "@inmesh/node/register"];
/** In NODE_OPTIONS. */
export const PRELOAD = "--import @inmesh/node/register";

const undo: (() => unknown)[] = [];

/** Ends what a file of tests started, and removes what it made. */
export async function undoAll(): Promise<void> {
  for (const each of undo.splice(0).reverse()) await each();
}

export interface RunOptions {
  /** @default the node that runs the tests */
  readonly command?: string;
  readonly env?: Readonly<Record<string, string | undefined>>;
  /** Written to its standard input, which is then closed; `true` leaves it open. */
  readonly input?: string | true;
  /** Relative to this workspace, or absolute. */
  readonly cwd?: string;
  readonly folder?: string;
  readonly service?: string;
}

export interface Run {
  readonly child: ChildProcess;
  readonly out: () => string;
  readonly errors: () => string;
  /** Resolves with the first group of `pattern`, or all of it, once it was printed. */
  printed(pattern: RegExp): Promise<string>;
  readonly ended: Promise<{ readonly code: number | null; readonly signal: string | null }>;
}

/** Ends with its file of tests. The environment holds what a shell has, and the mesh. */
export function run(args: readonly string[], options: RunOptions = {}): Run {
  const { command = process.execPath, env = {}, input, cwd = HERE, folder = inject("folder"), service } = options;
  const child = spawn(command, args, {
    cwd: join(cwd.startsWith("/") ? "/" : HERE, cwd),
    env: {
      PATH: process.env["PATH"],
      // Loaders that compile every file are slow on a machine that does other work: nothing here is about how long that takes.
      INMESH_CONFIG_WAIT_MS: "30000",
      HOME: folder,
      INMESH_CONFIG: folder,
      ...(service !== undefined && { INMESH_SERVICE: service }),
      ...env,
    },
    stdio: [input === undefined ? "ignore" : "pipe", "pipe", "pipe"],
  });
  if (typeof input === "string") child.stdin?.end(input);
  const ended = once(child, "close").then(([code, signal]) => ({ code, signal }));
  undo.push(async () => {
    if (child.exitCode === null && child.signalCode === null) child.kill("SIGKILL");
    await ended;
  });
  let out = "";
  let errors = "";
  child.stdout.on("data", (chunk) => {
    out += chunk;
  });
  child.stderr.on("data", (chunk) => {
    errors += chunk;
  });
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
  return { child, out: () => out, errors: () => errors, printed, ended };
}

/** What a program printed behind the word `called`, after it ended well and without a word on stderr. */
export async function called(args: readonly string[], options: RunOptions = {}): Promise<unknown> {
  const { ended, out, errors } = run(args, options);
  const { code } = await ended;
  const found = /^called (.*)$/m.exec(out())?.[1];
  if (code !== 0 || found === undefined || errors() !== "") return { code, out: out(), errors: errors() };
  return JSON.parse(found);
}

/** The answer of every client in fixtures/calls.mjs when all are meshed. */
export const ALL_MESHED = { fetch: "echo", http: "echo", post: "echo", undici: "echo", agent: "echo" };

/** A folder that goes with its file of tests. */
export function temporary(): string {
  const folder = mkdtempSync(join(tmpdir(), "inmesh-loading-case-"));
  undo.push(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

/** Names of the leases of a service, and what they say. */
export function leasesOf(service: string, folder = inject("folder")): Map<string, string> {
  const directory = join(folder, ".workloads");
  const names = existsSync(directory) ? readdirSync(directory) : [];
  const found = new Map<string, string>();
  for (const name of names.filter((each) => each.includes(`.${service}.`) && each.endsWith(".yaml"))) {
    try {
      found.set(name, readFileSync(join(directory, name), "utf8"));
    } catch {
      // It left while we looked.
    }
  }
  return found;
}

/** @returns path of that Node, or undefined when npx cannot have it */
export async function nodeOfLine(line: string): Promise<string | undefined> {
  const { NODE_OPTIONS: _, ...env } = process.env;
  try {
    const options = { env, cwd: HERE, timeout: 35_000 };
    const { stdout } = await promisify(execFile)("npx", ["-y", `node@${line}`, "-p", "process.execPath"], options);
    return stdout.trim().split("\n").at(-1);
  } catch (error) {
    if (process.env["INMESH_REQUIRE_PEERS"] === "1") throw error;
    return undefined;
  }
}
