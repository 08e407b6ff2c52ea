/** A mesh on this machine: a registry folder with policy in it, and services as processes. All of namespace `shop`. */

import { mkdirSync, mkdtempSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { ServiceProcess } from "./service-process.js";

export class Town implements AsyncDisposable {
  readonly folder = mkdtempSync(join(tmpdir(), "inmesh-town-"));
  /** The registry. */
  readonly mesh = join(this.folder, "mesh");
  readonly #services: ServiceProcess[] = [];
  readonly #env: Readonly<Record<string, string>>;

  /** @param env of every process */
  constructor(policy = "", env: Readonly<Record<string, string>> = {}) {
    this.#env = env;
    mkdirSync(this.mesh);
    this.write("policy.yaml", policy);
  }

  /** As tools do it: whole or not at all. */
  write(file: string, text: string): void {
    const draft = join(this.folder, `draft-${file}`);
    writeFileSync(draft, text);
    renameSync(draft, join(this.mesh, file));
  }

  /** `INMESH_IDENTITY` and its like among the variables. */
  async start(name: string, env: Readonly<Record<string, string>> = {}): Promise<ServiceProcess> {
    const started = await ServiceProcess.start(name, {
      ...{ HOME: this.folder, XDG_CACHE_HOME: join(this.folder, "cache") },
      ...{ INMESH_CONFIG: this.mesh, INMESH_NAMESPACE: "shop", INMESH_PROPAGATION_DELAY_MS: "0" },
      ...this.#env,
      ...env,
    });
    this.#services.push(started);
    return started;
  }

  /** `http://127.0.0.1:port` of a process's admin endpoint, as its lease says. */
  adminUrl({ pid }: ServiceProcess): string {
    const folder = join(this.mesh, ".workloads");
    for (const file of readdirSync(folder)) {
      const text = readFileSync(join(folder, file), "utf8");
      if (!new RegExp(`\\bpid: "?${pid}\\b`).test(text)) continue;
      const found = /admin: "?(?:http:\/\/)?(127\.0\.0\.1:\d+)/.exec(text)?.[1];
      if (found !== undefined) return `http://${found}`;
    }
    throw new Error(`no lease of ${pid} says where its admin endpoint is`);
  }

  /** All that all processes printed. */
  get output(): string {
    return this.#services.map(({ name, output }) => `--- ${name}\n${output}`).join("\n");
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(this.#services.map((each) => each[Symbol.asyncDispose]()));
    rmSync(this.folder, { recursive: true, force: true });
  }
}
