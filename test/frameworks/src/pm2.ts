/** The real PM2 with a home, and so a daemon, of its own. */

import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";
import { REGISTER } from "./app-process.js";
import type { Registry } from "./registry.js";

const PM2 = join(createRequire(import.meta.url).resolve("pm2/package.json"), "..", "bin", "pm2");

export interface Pm2App {
  readonly name: string;
  readonly script: string;
  readonly instances?: number;
  readonly exec_mode: "cluster" | "fork";
  readonly env?: Readonly<Record<string, string>>;
  readonly kill_timeout?: number;
  readonly listen_timeout?: number;
}

export class Pm2 implements AsyncDisposable {
  readonly #registry: Registry;
  readonly #home: string;

  constructor(registry: Registry) {
    this.#registry = registry;
    this.#home = join(registry.folder, ".pm2");
  }

  /** Of the daemon and the applications. */
  get logs(): string {
    const log = join(this.#home, "pm2.log");
    return existsSync(log) ? readFileSync(log, "utf8") : "";
  }

  /** Starts applications of `folder`, the way an ecosystem file does; the daemon is started elsewhere. */
  async start(folder: string, apps: readonly Pm2App[]): Promise<void> {
    const file = join(this.#registry.folder, "ecosystem.config.json");
    const meshed = apps.map((app) => ({ ...app, cwd: folder, node_args: ["--import", REGISTER] }));
    writeFileSync(file, JSON.stringify({ apps: meshed }));
    await this.run("start", file);
  }

  async run(...args: readonly string[]): Promise<string> {
    const child = spawn(process.execPath, [PM2, ...args], {
      cwd: this.#registry.folder,
      env: {
        ...{ PATH: process.env["PATH"], HOME: this.#registry.folder, PM2_HOME: this.#home },
        ...{ XDG_CACHE_HOME: join(this.#registry.folder, ".cache"), PM2_DISCRETE_MODE: "true", CI: "1" },
      },
      stdio: ["ignore", "pipe", "pipe"],
    });
    let out = "";
    for (const stream of [child.stdout, child.stderr]) {
      stream.on("data", (chunk) => {
        out += chunk;
      });
    }
    const [code] = await once(child, "close");
    if (code !== 0) throw new Error(`pm2 ${args.join(" ")} ended with ${code}: ${out}${this.logs}`);
    return out;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.run("kill");
  }
}
