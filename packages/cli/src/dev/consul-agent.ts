/** A Consul of the session's own: one process that keeps everything in memory, on loopback ports that were free. */

import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { join } from "node:path";
import { type Clock, sleep } from "@inmesh/core";
import { CliError, EXIT } from "../exit.js";
import { groupLives, signalGroup } from "./process-group.js";
import type { Reaper } from "./reaper.js";

export interface ConsulAgentOptions {
  /** The program. */
  readonly binary: string;
  /** A folder that is removed at the end. */
  readonly scratch: string;
  readonly clock: Clock;
  readonly signal: AbortSignal;
  readonly reaper: Pick<Reaper, "watch" | "forget">;
  /** Told when it ends before `stop`. */
  readonly onEnd: (reason: string) => void;
}

/** Half a second on a quiet machine, in ms. */
const READY_MS = 20_000;
const LOOK_MS = 25;
/** Between SIGTERM and SIGKILL, in ms: it has nothing to lose. */
const GRACE_MS = 2_000;
/** Somebody else may take a port between its choice and its use. */
const ATTEMPTS = 3;
const KEPT_LOG = 4_000;

export class ConsulAgent {
  readonly port: number;
  readonly pid: number;
  readonly #options: ConsulAgentOptions;
  readonly #child: ChildProcess;
  #log = "";
  #ended: string | undefined;
  #stopping = false;

  private constructor(options: ConsulAgentOptions, file: string, port: number) {
    this.#options = options;
    this.port = port;
    this.#child = spawn(options.binary, ["agent", "-dev", `-config-file=${file}`], {
      detached: process.platform !== "win32", // the terminal's Ctrl-C must not end it before the services
      stdio: ["ignore", "pipe", "pipe"],
    });
    this.pid = this.#child.pid ?? 0;
    if (this.pid !== 0) options.reaper.watch(this.pid);
    for (const stream of [this.#child.stdout, this.#child.stderr]) {
      stream?.on("data", (chunk: Buffer) => {
        this.#log = (this.#log + chunk.toString()).slice(-KEPT_LOG);
      });
    }
    this.#child.on("error", (error) => this.#end(error.message));
    this.#child.on("exit", (code, signal) => this.#end(signal ?? `exit code ${code}`));
  }

  /** Resolves when it can be used. @throws {CliError} when it cannot */
  static async start(options: ConsulAgentOptions): Promise<ConsulAgent> {
    for (let attempt = 1; ; attempt++) {
      const ports = await freePorts(4);
      const file = join(options.scratch, `consul-${attempt}.json`);
      writeFileSync(file, JSON.stringify(configuration(ports)), { mode: 0o600 });
      const agent = new ConsulAgent(options, file, ports[0] ?? 0);
      try {
        await agent.#ready();
        return agent;
      } catch (error) {
        await agent.stop();
        const taken = agent.#log.includes("address already in use");
        if (options.signal.aborted || attempt === ATTEMPTS || !taken) throw error;
      }
    }
  }

  /** Ends it; idempotent. */
  async stop(): Promise<void> {
    this.#stopping = true;
    if (this.pid === 0) return;
    const { clock, reaper } = this.#options;
    const killAt = clock.now() + GRACE_MS;
    signalGroup(this.pid, "SIGTERM");
    while (groupLives(this.pid)) {
      if (clock.now() >= killAt) signalGroup(this.pid, "SIGKILL");
      await sleep(clock, LOOK_MS);
    }
    reaper.forget(this.pid);
  }

  /** For our own last moment. */
  killSync(): void {
    this.#stopping = true;
    if (this.pid !== 0 && this.#ended === undefined) signalGroup(this.pid, "SIGKILL");
  }

  async #ready(): Promise<void> {
    const { clock, signal, binary } = this.#options;
    const giveUpAt = clock.now() + READY_MS;
    while (this.#ended === undefined && clock.now() < giveUpAt) {
      if (await this.#knowsLeader()) return;
      await sleep(clock, LOOK_MS, signal);
    }
    const how = this.#ended === undefined ? `was not ready after ${READY_MS / 1_000} s` : `ended: ${this.#ended}`;
    const said = this.#log.trim().split("\n").slice(-3).join(" | ");
    throw new CliError(
      EXIT.unreachable,
      `the Consul of this session ("${binary} agent -dev") ${how}${said && `: ${said}`}`,
      "Run it by hand to see why, and name it: --registry consul://127.0.0.1:8500.",
    );
  }

  async #knowsLeader(): Promise<boolean> {
    const { signal } = this.#options;
    try {
      const answer = await fetch(`http://127.0.0.1:${this.port}/v1/status/leader`, { signal });
      return answer.status === 200 && (await answer.text()).includes(":");
    } catch {
      return false;
    }
  }

  #end(reason: string): void {
    if (this.#ended !== undefined) return;
    this.#ended = reason;
    if (!this.#stopping) this.#options.onEnd(reason);
  }
}

function configuration([http, grpc, server, serf]: readonly number[]): object {
  return {
    ...{ node_name: "dev", bind_addr: "127.0.0.1", client_addr: "127.0.0.1" },
    ...{ disable_update_check: true, log_level: "WARN" },
    ports: { http, https: -1, grpc, dns: -1, server, serf_lan: serf, serf_wan: -1 },
  };
}

/** All at once, so that no two are the same. */
async function freePorts(count: number): Promise<readonly number[]> {
  const servers = Array.from({ length: count }, () => createServer().listen(0, "127.0.0.1"));
  await Promise.all(servers.map((server) => once(server, "listening")));
  const ports = servers.map((server) => (server.address() as { port: number }).port); // they listen on ports
  await Promise.all(servers.map((server) => once(server.close(), "close")));
  return ports;
}
