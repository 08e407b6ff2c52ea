/** A program of fixtures/ in a process of its own, in the mesh by `--import` alone. */

import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import type { Registry } from "./registry.js";

export const REGISTER = pathToFileURL(
  fileURLToPath(new URL("../../../packages/node/dist/register.js", import.meta.url)),
).href;
export const FIXTURES = fileURLToPath(new URL("../fixtures/", import.meta.url));

export interface AppOptions {
  readonly registry: Registry;
  readonly service: string;
  /** File of fixtures/, and its arguments. */
  readonly program: readonly [file: string, ...args: string[]];
  readonly env?: Readonly<Record<string, string>>;
  /** @default true */
  readonly meshed?: boolean;
}

export class AppProcess implements AsyncDisposable {
  readonly child: ChildProcess;
  readonly exited: Promise<{ readonly code: number | null; readonly signal: string | null }>;
  out = "";
  errors = "";

  constructor({ registry, service, program: [file, ...args], env = {}, meshed = true }: AppOptions) {
    const preload = meshed ? ["--import", REGISTER] : [];
    this.child = spawn(process.execPath, [...preload, join(FIXTURES, file), ...args], {
      env: {
        PATH: process.env["PATH"],
        HOME: registry.folder,
        XDG_CACHE_HOME: join(registry.folder, ".cache"),
        TLS_PEM: registry.pem,
        INMESH_SERVICE: service,
        INMESH_CONFIG: registry.folder,
        ...env,
      },
      stdio: ["pipe", "pipe", "pipe"],
    });
    this.child.stdout?.on("data", (chunk) => {
      this.out += chunk;
    });
    this.child.stderr?.on("data", (chunk) => {
      this.errors += chunk;
    });
    this.exited = once(this.child, "close").then(([code, signal]) => ({ code, signal }));
  }

  get pid(): number {
    return this.child.pid ?? 0;
  }

  /** First group of `pattern` once it was printed. */
  async printed(pattern: RegExp): Promise<string> {
    for (;;) {
      const found = pattern.exec(this.out);
      if (found !== null) return found[1] ?? found[0];
      const ended = await Promise.race([once(this.child.stdout as NodeJS.ReadableStream, "data"), this.exited]);
      if ("code" in ended) throw new Error(`it ended without printing ${pattern}: ${this.out}${this.errors}`);
    }
  }

  async port(): Promise<number> {
    return Number(await this.printed(/port (\d+)/));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.child.exitCode === null && this.child.signalCode === null) this.child.kill("SIGKILL");
    await this.exited;
  }
}
