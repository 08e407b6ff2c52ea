/** Starts children, brings back those that crash, and leaves nothing behind. */

import { systemReason } from "../exit.js";
import type { EventLog } from "./event-log.js";
import { Instance, type InstanceExit } from "./instance.js";
import { signalGroup } from "./process-group.js";
import type { ProcessSpec } from "./process-spec.js";
import type { Reaper } from "./reaper.js";

export interface SupervisorOptions {
  readonly events: EventLog;
  readonly reaper: Pick<Reaper, "watch" | "forget">;
  /** Environment of a child. */
  readonly envOf: (spec: ProcessSpec) => Readonly<Record<string, string>>;
  /** Between SIGTERM and SIGKILL, in ms. @default 8_000 */
  readonly graceMs?: number;
  /** Before the first restart after a crash, in ms; doubles with every crash in a row. @default 500 */
  readonly backoffMs?: number;
}

const MAX_BACKOFF_MS = 15_000;
/** A child that ran this long has shown that it can: its next crash counts as the first, in ms. */
const SETTLED_MS = 10_000;

export class Supervisor {
  readonly #options: Required<SupervisorOptions>;
  readonly #instances = new Set<Instance>();
  readonly #timers = new Set<NodeJS.Timeout>();
  readonly #counts = new Map<string, number>();
  /** Crashes in a row, by what runs again and again. */
  readonly #crashes = new Map<ProcessSpec, number>();
  readonly #idleListeners: (() => void)[] = [];
  #stopping = false;

  constructor({ graceMs = 8_000, backoffMs = 500, ...options }: SupervisorOptions) {
    this.#options = { ...options, graceMs, backoffMs };
  }

  /** Those that live, in order of their start. */
  get instances(): readonly Instance[] {
    return [...this.#instances];
  }

  /** Called when no child lives and none will be started again. */
  onIdle(listener: () => void): void {
    this.#idleListeners.push(listener);
  }

  /** @throws when the session is ending */
  start(spec: ProcessSpec): Instance {
    if (this.#stopping) throw new Error("the session is ending");
    const count = (this.#counts.get(spec.service) ?? 0) + 1;
    this.#counts.set(spec.service, count);
    const instance = new Instance({
      id: `${spec.service}-${count}`,
      spec,
      env: this.#options.envOf(spec),
      onLine: ({ id }, line) => this.#options.events.add("output", line, id),
      onExit: (ended, exit) => this.#onExit(ended, exit),
    });
    if (instance.pid !== 0) {
      this.#instances.add(instance);
      this.#options.reaper.watch(instance.pid);
    }
    return instance;
  }

  /** Ends it and does not bring it back. */
  async stop(instance: Instance): Promise<void> {
    await instance.stop(this.#options.graceMs);
  }

  /** `kill -9`. @param restartAfterMs undefined: it stays away */
  async kill(instance: Instance, restartAfterMs?: number): Promise<void> {
    instance.endWanted = true;
    instance.signal("SIGKILL");
    await instance.ended;
    if (restartAfterMs !== undefined) this.#startLater(instance.spec, restartAfterMs);
  }

  /** Ends every child and resolves when the last is gone. */
  async stopAll(): Promise<void> {
    this.#stopping = true;
    for (const timer of this.#timers) clearTimeout(timer);
    this.#timers.clear();
    await Promise.all(this.instances.map((instance) => this.stop(instance)));
  }

  /** For our own last moment: no waiting, no mercy. */
  killAllSync(): void {
    this.#stopping = true;
    for (const { pid } of this.#instances) signalGroup(pid, "SIGKILL");
  }

  #onExit(instance: Instance, exit: InstanceExit): void {
    const { events, reaper } = this.#options;
    this.#instances.delete(instance);
    reaper.forget(instance.pid);
    if (exit.error !== undefined) {
      const program = instance.spec.command[0];
      events.add(
        "error",
        `${instance.id} could not be started: "${program}": ${systemReason(exit.error) ?? exit.error.message}`,
      );
    } else if (!instance.endWanted && !this.#stopping) {
      this.#onCrash(instance, exit);
    } else if (!this.#stopping) {
      events.add("process", `${instance.id} (pid ${instance.pid}) is gone: ${exitWords(exit)}`);
    }
    if (this.#instances.size === 0 && this.#timers.size === 0) for (const listener of this.#idleListeners) listener();
  }

  #onCrash(instance: Instance, exit: InstanceExit): void {
    const { events, backoffMs } = this.#options;
    const { spec } = instance;
    if (exit.code === 0) return events.add("process", `${instance.id} (pid ${instance.pid}) has finished`);
    const lived = performance.now() - instance.startedAt;
    const crashes = lived >= SETTLED_MS ? 1 : (this.#crashes.get(spec) ?? 0) + 1;
    this.#crashes.set(spec, crashes);
    const waitMs = Math.min(backoffMs * 2 ** (crashes - 1), MAX_BACKOFF_MS);
    const words = `${instance.id} (pid ${instance.pid}) crashed: ${exitWords(exit)}`;
    events.add("error", `${words}; starting it again in ${waitMs / 1_000} s`);
    this.#startLater(spec, waitMs);
  }

  #startLater(spec: ProcessSpec, ms: number): void {
    if (this.#stopping) return;
    const timer = setTimeout(() => {
      this.#timers.delete(timer);
      this.start(spec);
    }, ms);
    this.#timers.add(timer);
  }
}

export function exitWords({ code, signal }: InstanceExit): string {
  return signal === null ? `exit code ${code}` : signal;
}
