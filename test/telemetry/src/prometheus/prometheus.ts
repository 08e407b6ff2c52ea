/** A real Prometheus that scrapes what it is told to, and can be asked. */

import { type ChildProcess, spawn } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { PrometheusTools } from "./find-prometheus.js";

export interface Sample {
  readonly metric: Readonly<Record<string, string>>;
  readonly value: number;
}

/** Scrapes are a second apart, and a busy machine misses some. */
const DEADLINE_MS = 45_000;

export class Prometheus implements AsyncDisposable {
  readonly #url: string;
  readonly #folder: string;
  readonly #child: ChildProcess;

  private constructor(url: string, folder: string, child: ChildProcess) {
    this.#url = url;
    this.#folder = folder;
    this.#child = child;
  }

  /** @param targets `host:port` */
  static async start({ prometheus }: PrometheusTools, targets: readonly string[]): Promise<Prometheus> {
    const folder = mkdtempSync(join(tmpdir(), "inmesh-prometheus-"));
    const config = {
      global: { scrape_interval: "1s", scrape_timeout: "1s" },
      scrape_configs: [{ job_name: "inmesh", metrics_path: "/stats/prometheus", static_configs: [{ targets }] }],
    };
    writeFileSync(join(folder, "prometheus.yml"), JSON.stringify(config)); // JSON is YAML
    const port = await freePort();
    const args = [
      `--config.file=${join(folder, "prometheus.yml")}`,
      `--web.listen-address=127.0.0.1:${port}`,
      `--storage.tsdb.path=${join(folder, "data")}`,
      "--enable-feature=exemplar-storage",
      "--log.level=error",
    ];
    const child = spawn(prometheus, args, { stdio: ["ignore", "ignore", "inherit"] });
    const started = new Prometheus(`http://127.0.0.1:${port}`, folder, child);
    try {
      await until(async () => (await fetch(`${started.#url}/-/ready`)).ok, "Prometheus to be ready");
    } catch (error) {
      await started[Symbol.asyncDispose]();
      throw error;
    }
    return started;
  }

  /** @throws when it cannot be evaluated */
  async query(expr: string): Promise<readonly Sample[]> {
    const answer = await this.#ask<{ result: { metric: Record<string, string>; value: [number, string] }[] }>(
      `query?query=${encodeURIComponent(expr)}`,
    );
    return answer.result.map(({ metric, value: [, value] }) => ({ metric, value: Number(value) }));
  }

  async exemplars(
    expr: string,
  ): Promise<readonly { readonly exemplars: readonly { readonly labels: Record<string, string> }[] }[]> {
    const now = Date.now() / 1_000;
    return this.#ask(`query_exemplars?query=${encodeURIComponent(expr)}&start=${now - 600}&end=${now + 60}`);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const gone = new Promise((resolve) => this.#child.once("exit", resolve));
    if (this.#child.exitCode === null && this.#child.signalCode === null) {
      this.#child.kill("SIGKILL");
      await gone;
    }
    rmSync(this.#folder, { recursive: true, force: true });
  }

  async #ask<Data>(path: string): Promise<Data> {
    const response = await fetch(`${this.#url}/api/v1/${path}`);
    const { status, data, error } = (await response.json()) as { status: string; data: Data; error?: string };
    if (status !== "success") throw new Error(`${decodeURIComponent(path)}: ${error}`);
    return data;
  }
}

export async function until(holds: () => Promise<boolean>, what: string): Promise<void> {
  const deadline = performance.now() + DEADLINE_MS;
  while (!(await holds().catch(() => false))) {
    if (performance.now() > deadline) throw new Error(`waited ${DEADLINE_MS} ms for ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
}

export async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as { port: number };
  await new Promise((resolve) => server.close(resolve));
  return port;
}
