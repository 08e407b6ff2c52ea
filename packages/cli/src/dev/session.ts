/**
 * A running session of `inmesh dev`: what keys and scripts act on.
 *
 * A script (`inmesh dev --script story.js`) is a module whose default export is `async (session: ScriptSession) => …`.
 * When it returns, the session ends with exit code 0; when it throws, with 1 and the message. What it returns is printed
 * last, line by line.
 */

import { spawn } from "node:child_process";
import { mkdirSync } from "node:fs";
import { isAbsolute, join, relative } from "node:path";
import { type Clock, type Lease, sleep, type Timer } from "@inmesh/core";
import { PROGRAM } from "../own-files.js";
import type { EventLog } from "./event-log.js";
import type { Edge } from "./figures.js";
import type { Instance } from "./instance.js";
import { leaseOf } from "./lease-match.js";
import type { MeshWatch } from "./mesh-watch.js";
import { deleteDocument, MODE_FILE, modeDocument, writeDocument } from "./policy-switch.js";
import type { Supervisor } from "./supervisor.js";

export interface StartOptions {
  /** Service name: a DNS label. */
  readonly service: string;
  /** Label `version`. */
  readonly version?: string;
  /** Program and arguments. */
  readonly command: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
  /** @default the script's folder */
  readonly cwd?: string;
}

/** A process of the session, as a script sees it. */
export interface ScriptInstance {
  /** `reviews-2`. */
  readonly id: string;
  readonly service: string;
  readonly version: string;
  readonly pid: number;
  /** `http://127.0.0.1:port` of its first server; empty when it does not listen. */
  readonly url: string;
  /** Requests it is answering at this moment. */
  inFlight(): Promise<number>;
  /** SIGTERM: it drains first. Resolves when it is gone. */
  stop(): Promise<void>;
  /** SIGKILL. It stays away. */
  kill(): Promise<void>;
  /** Starts another one, waits until it is ready, then stops this one. */
  replace(): Promise<ScriptInstance>;
}

export interface ScriptSession {
  /** The registry: a folder or a URL. */
  readonly config: string;
  /** A folder of this session for logs and results. It is kept, and its name is printed. */
  readonly data: string;
  /** Aborts when the user wants to stop. Everything below that waits rejects then. */
  readonly signal: AbortSignal;
  /** Starts a meshed process and resolves when it listens. */
  start(options: StartOptions): Promise<ScriptInstance>;
  /** What lives, of one service or of all. */
  instances(service?: string): readonly ScriptInstance[];
  /** `inmesh apply --wait`: resolves when every process runs it. @param paths files or folders, from the script's folder */
  apply(...paths: string[]): Promise<void>;
  /** Switches the policy of the whole mesh; resolves when every process has it. */
  policy(mode: "off" | "on"): Promise<void>;
  /** Begins a step: a heading. */
  step(title: string): void;
  /** A sentence of the story. */
  say(text: string): void;
  /** What flows now, by caller and callee, over the last seconds. */
  edges(): readonly Edge[];
  sleep(ms: number): Promise<void>;
  /** The whole session fails after this many ms from now; the last that was said counts. */
  deadline(ms: number): void;
}

export interface SessionOptions {
  /** The registry. */
  readonly config: string;
  /** Whose files are policy, beside what is applied. */
  readonly folder: string;
  readonly data: string;
  readonly namespace: string;
  /** Against which a script's relative paths count. */
  readonly base: string;
  readonly clock: Clock;
  readonly signal: AbortSignal;
  readonly events: EventLog;
  readonly supervisor: Supervisor;
  readonly watch: MeshWatch;
  /** Fails the session. */
  readonly fail: (error: Error) => void;
}

/** A child that does not listen after this long has a fault worth reporting, in ms. */
const READY_MS = 20_000;
const SETTLED_MS = 10_000;

export class Session implements ScriptSession {
  #deadline: Timer | undefined;
  readonly #options: SessionOptions;

  constructor(options: SessionOptions) {
    this.#options = options;
  }

  get config(): string {
    return this.#options.config;
  }

  get data(): string {
    mkdirSync(this.#options.data, { recursive: true, mode: 0o700 });
    return this.#options.data;
  }

  get signal(): AbortSignal {
    return this.#options.signal;
  }

  async start({ service, version, command, env = {}, cwd }: StartOptions): Promise<ScriptInstance> {
    this.signal.throwIfAborted();
    const { base, supervisor } = this.#options;
    return this.#ready(
      supervisor.start({ service, command, env, cwd: cwd ?? base, ...(version !== undefined && { version }) }),
    );
  }

  instances(service?: string): readonly ScriptInstance[] {
    const { supervisor } = this.#options;
    return supervisor.instances
      .filter(({ spec, endWanted }) => !endWanted && (service === undefined || spec.service === service))
      .map((instance) => this.#scriptInstance(instance));
  }

  async apply(...paths: string[]): Promise<void> {
    const { base, namespace, events } = this.#options;
    const files = paths.map((path) => (isAbsolute(path) ? path : join(base, path)));
    const shown = files.map((path) => relative(base, path) || path).join(" ");
    await this.#inmesh(["apply", ...files.flatMap((file) => ["-f", file]), "-n", namespace, "--wait"]);
    events.add("policy", `inmesh apply -f ${shown} --wait: in force in every process`);
  }

  async policy(mode: "off" | "on"): Promise<void> {
    const { folder, watch, events } = this.#options;
    if (mode === "off") writeDocument(folder, MODE_FILE, modeDocument("off", watch.documents));
    else deleteDocument(folder, MODE_FILE);
    const wanted = mode;
    const done = await watch.untilMode(wanted, SETTLED_MS, this.signal);
    events.add(done ? "policy" : "error", `policy ${mode} in ${done ? "every process" : "some processes only"}`);
  }

  step(title: string): void {
    this.#options.events.add("step", title);
  }

  say(text: string): void {
    this.#options.events.add("say", text);
  }

  edges(): readonly Edge[] {
    return this.#options.watch.edges;
  }

  sleep(ms: number): Promise<void> {
    return sleep(this.#options.clock, ms, this.signal);
  }

  deadline(ms: number): void {
    const { clock, fail } = this.#options;
    this.#deadline?.cancel();
    this.#deadline = clock.after(ms, () =>
      fail(new Error(`the script was not done after ${Math.round(ms / 1_000)} s`)),
    );
  }

  async #ready(instance: Instance): Promise<ScriptInstance> {
    const { watch, supervisor } = this.#options;
    const look = (leases: readonly Lease[]) => {
      const lease = leaseOf(instance, supervisor.instances, leases);
      return lease !== undefined && lease.ports.length > 0 ? lease : undefined;
    };
    const gone = instance.ended.then(({ code, signal, error }) => {
      throw new Error(`${instance.id} ended before it was ready: ${error?.message ?? signal ?? `exit code ${code}`}`);
    });
    const lease = await Promise.race([watch.until(look, READY_MS, this.signal), gone]);
    if (lease === undefined) throw new Error(`${instance.id} does not listen after ${READY_MS / 1_000} s`);
    return this.#scriptInstance(instance);
  }

  #scriptInstance(instance: Instance): ScriptInstance {
    const { supervisor, watch } = this.#options;
    const { spec, id, pid } = instance;
    const lease = () => leaseOf(instance, supervisor.instances, watch.leases);
    const port = lease()?.ports[0]?.number;
    return {
      id,
      service: spec.service,
      version: spec.version ?? "",
      pid,
      url: port === undefined ? "" : `http://127.0.0.1:${port}`,
      inFlight: async () => {
        const known = lease();
        return known === undefined ? 0 : ((await watch.statsOf(known))?.inbound.inFlight ?? 0);
      },
      stop: () => supervisor.stop(instance),
      kill: () => supervisor.kill(instance),
      replace: async () => {
        const next = await this.#ready(supervisor.start(spec));
        await supervisor.stop(instance);
        return next;
      },
    };
  }

  /** Runs a command of ours in a process of its own: exactly what a user would have typed. */
  async #inmesh(args: readonly string[]): Promise<void> {
    const child = spawn(process.execPath, [PROGRAM, ...args], {
      stdio: ["ignore", "pipe", "pipe"],
      signal: this.signal,
      // Not on the command line, which every user of the machine can read: it may hold a token.
      env: { ...process.env, INMESH_CONFIG: this.config },
    });
    let said = "";
    for (const stream of [child.stdout, child.stderr]) stream.on("data", (chunk: Buffer) => (said += chunk.toString()));
    const code = await new Promise<number | null>((resolve, reject) => {
      child.on("error", reject);
      child.on("close", resolve);
    });
    if (code !== 0) throw new Error(`inmesh ${args[0]} failed with exit code ${code}: ${said.trim()}`);
  }
}
