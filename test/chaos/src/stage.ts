/** A mesh on this machine: a registry folder, backends of one service, a caller, and their logs. */

import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { ChaosProcess } from "./chaos-process.js";
import { readLedger } from "./ledger.js";
import type { ClientKind, FromBackend, FromCaller, FromCrowd, Load, ToBackend, ToCaller, ToCrowd } from "./messages.js";
import { LatenessWatch } from "./program/lateness.js";
import type { WorkshopOptions } from "./program/workshop.js";
import { type Tally, tally } from "./tally.js";

export interface StageOptions {
  readonly backends: number;
  /** Istio's and our own documents, of namespace `shop`. The service is `shelf`. */
  readonly policy: string;
  readonly work?: WorkshopOptions;
  /** The registry, which has the policy already. @default a folder with the policy in it */
  readonly registry?: string;
  /** More variables of a process. @param service its name in the mesh */
  readonly environment?: (service: string) => Promise<Readonly<Record<string, string>>>;
}

export interface Backend {
  readonly process: ChaosProcess<ToBackend, FromBackend>;
  readonly origin: string;
  readonly number: number;
}

export type ServerLateness = Extract<FromBackend, { type: "lateness" }>;
export type Caller = ChaosProcess<ToCaller, FromCaller>;
export type Crowd = ChaosProcess<ToCrowd, FromCrowd>;

export class Stage implements AsyncDisposable {
  readonly backends: Backend[] = [];
  readonly #folder = mkdtempSync(join(tmpdir(), "inmesh-chaos-"));
  readonly #work: WorkshopOptions;
  readonly #registry: string;
  readonly #more: NonNullable<StageOptions["environment"]>;
  readonly #all: ChaosProcess<object, { readonly type: string }>[] = [];
  #started = 0;

  private constructor({ work = {}, policy, registry, environment = async () => ({}) }: StageOptions) {
    this.#work = work;
    this.#more = environment;
    this.#registry = registry ?? join(this.#folder, "mesh");
    mkdirSync(join(this.#folder, "log"));
    if (registry !== undefined) return;
    mkdirSync(this.#registry);
    writeFileSync(join(this.#registry, "policy.yaml"), policy);
  }

  static async open(options: StageOptions): Promise<Stage> {
    const stage = new Stage(options);
    try {
      const wanted = Array.from({ length: options.backends }, (_, number) => stage.startBackend(number));
      stage.backends.push(...(await Promise.all(wanted)));
      return stage;
    } catch (error) {
      await stage[Symbol.asyncDispose]();
      throw error;
    }
  }

  /** A further process, or one in the place of another. @param number which backend a fault means by `at` @param work beside the stage's */
  async startBackend(number: number, work: WorkshopOptions = {}): Promise<Backend> {
    const name = `shelf-${number}-${this.#started++}`;
    const started = new ChaosProcess<ToBackend, FromBackend>({
      name,
      program: "backend",
      register: true,
      env: {
        ...this.#environment(),
        ...(await this.#more("shelf")),
        INMESH_SERVICE: "shelf",
        CHAOS_LOG: join(this.#folder, "log", name),
        CHAOS_NUMBER: String(number),
        CHAOS_WORK: JSON.stringify({ ...this.#work, ...work }),
      },
    });
    this.#all.push(started as never);
    const { port } = await started.hear(isListening);
    return { process: started, origin: `http://127.0.0.1:${port}`, number };
  }

  /** Ends the last backend for good, whatever became of it, and starts another one in its place. */
  async replaceLast(): Promise<void> {
    const last = this.backends.pop()!; // a stage has several
    last.process.signal("SIGKILL");
    await last.process.ended;
    this.backends.push(await this.startBackend(last.number));
  }

  /** @param more variables of its own */
  async startCaller(more: Readonly<Record<string, string>> = {}): Promise<Caller> {
    const started: Caller = new ChaosProcess({
      name: "caller",
      program: "caller",
      register: false,
      env: { ...this.#environment(), ...(await this.#more("caller")), ...more },
    });
    this.#all.push(started as never);
    await started.hear((message): message is FromCaller => message.type === "ready");
    return started;
  }

  /** Many callers in one process, each a mesh with connections of its own, and calling already. @param more variables of its own */
  async startCrowd(name: string, more: Readonly<Record<string, string>>): Promise<Crowd> {
    const env = { ...this.#environment(), ...(await this.#more("caller")), ...more };
    const started: Crowd = new ChaosProcess({ name, program: "crowd", register: false, env });
    this.#all.push(started as never);
    await started.hear((message): message is Extract<FromCrowd, { type: "ready" }> => message.type === "ready", 60_000);
    return started;
  }

  /** How late its event loop came since it was asked last. */
  async latenessOf({ process }: Backend): Promise<ServerLateness> {
    const heard = process.hear((message): message is ServerLateness => message.type === "lateness");
    process.send({ type: "lateness" });
    return await heard;
  }

  /** One load, from its first request to its last answer. */
  async run(caller: Caller, load: Load, client: ClientKind = "mesh"): Promise<Tally> {
    const heard = caller.hear(
      (message): message is Extract<FromCaller, { type: "outcomes" }> =>
        message.type === "outcomes" && message.load === load.name,
      load.seconds * 1_000,
    );
    // This process has nothing to do meanwhile: where it waits for its turn, so do the backends.
    const watch = new LatenessWatch();
    try {
      caller.send({ type: "run", client, load, origins: this.backends.map(({ origin }) => origin) });
      const { outcomes, lateMs } = await heard;
      const heardOf = { outcomes, lateMs: Math.max(lateMs, watch.take().maxMs) };
      return tally(load.name, heardOf, readLedger(join(this.#folder, "log")));
    } finally {
      watch.stop();
    }
  }

  /** What processes complained of since the last time. */
  takeComplaints(): readonly string[] {
    return this.#all.flatMap((each) => {
      const errors = each.takeErrors();
      return errors === "" ? [] : [`${each.name} says: ${errors}`];
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const each of this.#all) each.signal("SIGKILL");
    await Promise.all(this.#all.map(({ ended }) => ended));
    rmSync(this.#folder, { recursive: true, force: true });
  }

  #environment(): Record<string, string> {
    return {
      HOME: this.#folder,
      XDG_CACHE_HOME: join(this.#folder, "cache"),
      INMESH_CONFIG: this.#registry,
      INMESH_NAMESPACE: "shop",
    };
  }
}

function isListening(message: FromBackend): message is Extract<FromBackend, { type: "listening" }> {
  return message.type === "listening";
}
