/** A program of `packages/node/test/fixture`, meshed by `--import` with a Consul as its registry. */

import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";

const PACKAGE = fileURLToPath(new URL("../../../../packages/node/", import.meta.url));
const REGISTER = pathToFileURL(join(PACKAGE, "dist/register.js")).href;

export interface ProgramOptions {
  readonly service: string;
  readonly config: string;
  readonly args?: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
}

export class Program {
  /** Home, state and working directory. */
  readonly folder = mkdtempSync(join(tmpdir(), "inmesh-consul-program-"));
  readonly exited: Promise<{ readonly code: number | null; readonly signal: NodeJS.Signals | null }>;
  readonly #child: ChildProcess;
  readonly #waiters = new Set<() => void>();
  #text = "";

  /** @param file in the fixture folder of `@inmesh/node`, or an absolute path */
  constructor(file: string, { service, config, args = [], env = {} }: ProgramOptions) {
    const path = file.startsWith("/") ? file : join(PACKAGE, "test/fixture", file);
    this.#child = spawn(process.execPath, ["--import", REGISTER, path, ...args], {
      cwd: this.folder,
      env: {
        PATH: process.env["PATH"],
        HOME: this.folder,
        INMESH_STATE_DIR: join(this.folder, "state"),
        ...{ INMESH_SERVICE: service, INMESH_CONFIG: config, ...env },
      },
      stdio: ["ignore", "pipe", "pipe"],
    });
    for (const stream of [this.#child.stdout, this.#child.stderr]) {
      stream?.on("data", (chunk: Buffer) => {
        this.#text += chunk.toString();
        for (const wake of this.#waiters) wake();
      });
    }
    this.exited = once(this.#child, "close").then(([code, signal]) => ({ code, signal }));
  }

  /** All that it printed, on both streams. */
  get text(): string {
    return this.#text;
  }

  get pid(): number {
    return this.#child.pid ?? 0;
  }

  /** Resolves with the first group of `pattern` once it was printed. */
  async printed(pattern: RegExp): Promise<string> {
    for (;;) {
      const found = pattern.exec(this.#text);
      if (found !== null) return found[1] ?? found[0];
      let wake = (): void => {};
      const more = new Promise<undefined>((resolve) => {
        wake = () => resolve(undefined);
        this.#waiters.add(wake);
      });
      const ended = await Promise.race([this.exited, more]);
      this.#waiters.delete(wake);
      if (ended !== undefined && !pattern.test(this.#text)) {
        throw new Error(`it ended (${ended.code ?? ended.signal}) without printing ${pattern}:\n${this.#text}`);
      }
    }
  }

  async port(): Promise<number> {
    return Number(await this.printed(/port (\d+)/));
  }

  signal(signal: NodeJS.Signals): void {
    this.#child.kill(signal);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#child.exitCode === null && this.#child.signalCode === null) this.#child.kill("SIGKILL");
    await this.exited;
    rmSync(this.folder, { recursive: true, force: true });
  }
}
