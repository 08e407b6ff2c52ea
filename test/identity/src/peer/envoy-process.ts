/**
 * One real Envoy as a process of its own on 127.0.0.1, on ports of the system's choice. It is ended by its id, and ends with
 * the process that started it, however that one ends: a guard waits for its pipe to close.
 */

import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { type EnvoyConfiguration, loopback } from "./envoy-config.js";

const READY_MS = 20_000;
const LOG_CHARS = 20_000;

export class EnvoyProcess {
  readonly folder = mkdtempSync(join(tmpdir(), "inmesh-envoy-"));
  readonly #ports = new Map<string, number>();
  readonly #child: ChildProcess;
  readonly #guard: ChildProcess;
  readonly #adminFile = join(this.folder, "admin");
  #admin = "";
  #log = "";

  private constructor(binary: string, configuration: EnvoyConfiguration) {
    const { listeners, clusters, node = { id: "peer", cluster: "peer" }, dynamic } = configuration;
    const file = join(this.folder, "envoy.json");
    const all = {
      node,
      admin: { address: loopback(0) },
      static_resources: { listeners, clusters },
      ...(dynamic && { dynamic_resources: dynamic }),
      layered_runtime: {
        layers: [
          // As Istio has it: a path with a fragment is not refused, the fragment goes.
          { name: "istio", static_layer: { "envoy.reloadable_features.http_reject_path_with_fragment": false } },
        ],
      },
    };
    writeFileSync(file, JSON.stringify(all), { mode: 0o600 });
    // Connections of before a change of its listeners go on under the old rules for so long: ten minutes, left alone.
    const drain = ["--drain-time-s", "1", "--parent-shutdown-time-s", "2"];
    const flags = ["--concurrency", "1", "--disable-hot-restart", "--log-level", "warning", ...drain];
    this.#child = spawn(binary, ["-c", file, ...flags, "--admin-address-path", this.#adminFile], {
      stdio: ["ignore", "pipe", "pipe"],
      detached: true, // a hang-up of the terminal is not for it
    });
    for (const stream of [this.#child.stdout, this.#child.stderr]) {
      stream?.on("data", (text) => {
        this.#log = (this.#log + text).slice(-LOG_CHARS);
      });
    }
    this.#guard = spawn(
      "/bin/sh",
      ["-c", 'cat >/dev/null; kill -9 "$0"; rm -rf "$1"', String(this.#child.pid), this.folder],
      { stdio: ["pipe", "ignore", "ignore"], detached: true },
    );
    this.#guard.unref();
    (this.#guard.stdin as unknown as { unref(): void }).unref();
  }

  /** @throws with what it printed, unless it serves within 20 s */
  static async start(binary: string, configuration: EnvoyConfiguration): Promise<EnvoyProcess> {
    const envoy = new EnvoyProcess(binary, configuration);
    try {
      await envoy.#ready(configuration.listeners.length);
      return envoy;
    } catch (error) {
      await envoy[Symbol.asyncDispose]();
      throw error;
    }
  }

  /** The end of what it printed. */
  get log(): string {
    return this.#log;
  }

  /** Of a listener, by its name. */
  port(listener: string): number {
    const port = this.#ports.get(listener);
    if (port === undefined) throw new Error(`no listener "${listener}" among ${[...this.#ports.keys()]}`);
    return port;
  }

  /** Its counters and gauges that match. */
  async stats(filter: string): Promise<ReadonlyMap<string, number>> {
    const text = await this.#ask(`/stats?filter=${encodeURIComponent(filter)}`);
    const lines = text.split("\n").filter((line) => /: \d+$/.test(line));
    return new Map(lines.map((line) => [line.slice(0, line.lastIndexOf(": ")), Number(line.split(": ").at(-1))]));
  }

  /** Everything that it was told, and what it refused of it. */
  async configuration(): Promise<string> {
    return await this.#ask("/config_dump");
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#guard.kill("SIGKILL");
    if (this.#child.exitCode === null && this.#child.signalCode === null) {
      const ended = once(this.#child, "exit");
      this.#child.kill("SIGKILL"); // it has nothing to lose, and a drain would take its time
      await ended;
    }
    rmSync(this.folder, { recursive: true, force: true });
  }

  async #ready(listeners: number): Promise<void> {
    for (const deadline = performance.now() + READY_MS; performance.now() < deadline; await delay(20)) {
      if (this.#child.exitCode !== null) throw new Error(`Envoy ended before it was ready:\n${this.#log}`);
      this.#admin = existsSync(this.#adminFile) ? readFileSync(this.#adminFile, "utf8").trim() : "";
      if (this.#admin === "") continue;
      const { state } = JSON.parse(await this.#ask("/server_info")) as { state: string };
      const { listener_statuses: statuses = [] } = JSON.parse(await this.#ask("/listeners?format=json")) as {
        listener_statuses?: { name: string; local_address: { socket_address: { port_value: number } } }[];
      };
      if (state !== "LIVE" || statuses.length < listeners) continue;
      for (const { name, local_address } of statuses) this.#ports.set(name, local_address.socket_address.port_value);
      return;
    }
    throw new Error(`Envoy was not ready within ${READY_MS} ms:\n${this.#log}`);
  }

  async #ask(path: string): Promise<string> {
    const response = await fetch(`http://${this.#admin}${path}`, { signal: AbortSignal.timeout(READY_MS) });
    return await response.text();
  }
}
