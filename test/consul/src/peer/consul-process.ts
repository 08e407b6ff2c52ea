/**
 * One Consul as a process of its own on 127.0.0.1. It is started, frozen and ended by its id, and ends with the process
 * that started it, however that one ends: a guard waits for its pipe to close.
 */

import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import type { ConsulBinary } from "./find-consul.js";

export interface ConsulReply {
  readonly status: number;
  readonly headers: Headers;
  readonly body: unknown;
}

interface Ports extends Readonly<Record<string, number>> {
  readonly http: number;
}

export interface ConsulProcessOptions {
  readonly binary: ConsulBinary;
  /** Its name among the nodes. */
  readonly node: string;
  /** Keys of Consul's configuration, beside what every one here is told; without `ports.http` nobody can ask it. */
  readonly configuration: Readonly<Record<string, unknown>> & { readonly ports: Ports };
  /** Flags beside the configuration: `-dev`. */
  readonly flags?: readonly string[];
  /** Sent with every question of `ask`. */
  readonly token?: string;
}

const READY_MS = 20_000;
const LOG_CHARS = 20_000;

export class ConsulProcess {
  readonly node: string;
  /** Of its HTTP API. */
  readonly port: number;
  readonly binary: ConsulBinary;
  readonly token: string | undefined;
  /** Where its configuration and, unless in memory, its data are. */
  readonly folder = mkdtempSync(join(tmpdir(), "inmesh-consul-"));
  readonly #flags: readonly string[];
  #child: ChildProcess | undefined;
  #guard: ChildProcess | undefined;
  #log = "";

  constructor({ binary, node, configuration, flags = [], token }: ConsulProcessOptions) {
    this.binary = binary;
    this.node = node;
    this.port = configuration.ports.http;
    this.token = token;
    const file = join(this.folder, "consul.json");
    const all = {
      ...(!flags.includes("-dev") && { data_dir: join(this.folder, "data") }),
      ...{ node_name: node, bind_addr: "127.0.0.1", client_addr: "127.0.0.1", disable_update_check: true },
      ...{ log_level: "WARN", leave_on_terminate: false, skip_leave_on_interrupt: true },
      ...configuration,
    };
    writeFileSync(file, JSON.stringify(all), { mode: 0o600 });
    this.#flags = ["agent", ...flags, `-config-file=${file}`];
  }

  get pid(): number {
    return this.#child?.pid ?? 0;
  }

  get url(): string {
    return `http://127.0.0.1:${this.port}`;
  }

  /** The end of what it printed since it was last started. */
  get log(): string {
    return this.#log;
  }

  get running(): boolean {
    return this.#child !== undefined && this.#child.exitCode === null && this.#child.signalCode === null;
  }

  /** Starts it; `ready` waits until it is of use. */
  start(): void {
    if (this.running) throw new Error(`${this.node} runs already`);
    this.#log = "";
    const child = spawn(this.binary.path, this.#flags, { stdio: ["ignore", "pipe", "pipe"] });
    for (const stream of [child.stdout, child.stderr]) {
      stream.on("data", (text) => {
        this.#log = (this.#log + text).slice(-LOG_CHARS);
      });
    }
    this.#child = child;
    const guard = spawn(
      "/bin/sh",
      ["-c", 'cat >/dev/null; kill -9 "$0"; rm -rf "$1"', String(child.pid), this.folder],
      {
        stdio: ["pipe", "ignore", "ignore"],
        detached: true, // an interrupt of the terminal is not for it
      },
    );
    guard.unref();
    (guard.stdin as unknown as { unref(): void }).unref();
    this.#guard = guard;
  }

  /** Resolves when it knows a leader. */
  async ready(withinMs = READY_MS): Promise<void> {
    for (const deadline = performance.now() + withinMs; performance.now() < deadline; await delay(20)) {
      if (!this.running) throw new Error(`${this.node} ended before it was ready:\n${this.#log}`);
      const leader = await this.ask("GET", "/v1/status/leader").catch(() => undefined);
      if (leader?.status === 200 && leader.body !== "") return;
    }
    throw new Error(`${this.node} knew no leader within ${withinMs} ms:\n${this.#log}`);
  }

  /** Starts it and waits until it is of use; where that fails nothing is left of it. */
  async startReady(): Promise<void> {
    try {
      this.start();
      await this.ready();
    } catch (error) {
      await this[Symbol.asyncDispose]();
      throw error;
    }
  }

  /** One question, as an operator would ask it: none of the code under test has a part in it. */
  async ask(method: string, path: string, body?: unknown, { token = this.token } = {}): Promise<ConsulReply> {
    const response = await fetch(`${this.url}${path}`, {
      method,
      headers: token === undefined ? {} : { "x-consul-token": token },
      signal: AbortSignal.timeout(READY_MS),
      ...(body !== undefined && { body: typeof body === "string" ? body : JSON.stringify(body) }),
    });
    const text = await response.text();
    let parsed: unknown = text;
    try {
      parsed = JSON.parse(text);
    } catch {
      // Refusals are text.
    }
    return { status: response.status, headers: response.headers, body: parsed };
  }

  /** The same, where only 200 will do. */
  async must(method: string, path: string, body?: unknown): Promise<unknown> {
    const reply = await this.ask(method, path, body);
    if (reply.status !== 200) throw new Error(`${method} ${path}: ${reply.status} ${JSON.stringify(reply.body)}`);
    return reply.body;
  }

  /** As a machine that loses its power. */
  async kill(): Promise<void> {
    const child = this.#child;
    this.#guard?.kill("SIGKILL");
    this.#guard = undefined;
    if (child === undefined || !this.running) return;
    const ended = once(child, "exit");
    child.kill("SIGKILL");
    await ended;
  }

  /** As a machine whose packets are lost: connections stay, nothing is answered. */
  freeze(): void {
    this.#child?.kill("SIGSTOP");
  }

  thaw(): void {
    this.#child?.kill("SIGCONT");
  }

  /**
   * Killed and started again, with the data it wrote to disk, or with none where it keeps all in memory.
   * @param forgetful without what was registered with it, as an agent on a new disk
   */
  async restart({ forgetful = false } = {}): Promise<void> {
    await this.kill();
    const forgotten = forgetful ? ["services", "checks"] : [];
    for (const each of forgotten) rmSync(join(this.folder, "data", each), { recursive: true, force: true });
    this.start();
    await this.ready();
  }

  /** For good. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.kill();
    rmSync(this.folder, { recursive: true, force: true });
  }
}
