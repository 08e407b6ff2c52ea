/**
 * Which leases hold, by the reader's own clock. The writer's clock is never asked: a lease lives for `ttlMs` after the
 * last change that this reader saw. Time in which the reader itself stood still (a stall, SIGSTOP, a sleeping laptop)
 * does not count, since renewals could not be seen then; nor does time in which the folder could not be read.
 */

import type { Problem } from "@inmesh/model";
import type { Clock } from "../runtime/clock.js";
import type { Random } from "../runtime/random.js";
import { registryProblem } from "../snapshot/registry-problem.js";
import type { Lease } from "../snapshot/source.js";
import type { Host } from "./host.js";
import { type LeaseRecord, leaseNameOf, readLease, splitSequence } from "./lease-file.js";
import type { ParseDocuments } from "./policy-files.js";

/** In ms, between two calls of `tick`: what a killed process on this machine stays visible. */
export const TICK_MS = 250;
/** In ms: a lease that ended this long ago is cleared away, by whichever reader comes first. */
const CLEAR_AFTER_MS = 30_000;

interface Entry {
  readonly file: string;
  readonly rest: string;
  readonly sequence: string;
  readonly record: LeaseRecord | undefined;
  readonly problem: Problem | undefined;
  /** Of the table's own time. */
  changedAt: number;
  state: "live" | "expired" | "dead";
  clearAt: number;
}

export interface LeaseTableOptions {
  readonly clock: Clock;
  readonly random: Random;
  readonly host: Host;
  readonly parse: ParseDocuments;
}

export class LeaseTable {
  readonly #options: LeaseTableOptions;
  readonly #entries = new Map<string, Entry>();
  /** Ms in which this reader was awake and could see the folder. */
  #awakeMs = 0;
  #tickedAt: number;
  #leases: readonly Lease[] | undefined;

  constructor(options: LeaseTableOptions) {
    this.#options = options;
    this.#tickedAt = options.clock.now();
  }

  /** By name. The same array until a lease comes, changes or goes; a renewal alone changes nothing. */
  get leases(): readonly Lease[] {
    this.#leases ??= [...this.#entries.values()]
      .flatMap(({ state, record }) => (state === "live" && record ? [record.lease] : []))
      .sort((a, b) => (a.name < b.name ? -1 : 1));
    return this.#leases;
  }

  get problems(): readonly Problem[] {
    return [...this.#entries.values()].flatMap(({ problem }) => problem ?? []);
  }

  get files(): Iterable<string> {
    return this.#entries.keys();
  }

  has(file: string): boolean {
    return this.#entries.has(file);
  }

  isLive(file: string): boolean {
    return this.#entries.get(file)?.state === "live";
  }

  /** What the file says now. @returns whether the view changed */
  observe(file: string, text: string): boolean {
    const name = leaseNameOf(file);
    if (name === undefined) return false;
    const { sequence, rest } = splitSequence(text);
    const before = this.#entries.get(file);
    if (before?.rest === rest) {
      const cured = before.record !== undefined && before.problem !== undefined;
      if (before.sequence === sequence && !cured) return false;
      // Sequence alone: renewed. A lease that had expired is back.
      const problem = cured ? undefined : before.problem;
      this.#entries.set(file, { ...before, sequence, problem, changedAt: this.#awakeMs, state: "live" });
      return before.state !== "live" ? this.#changed() : cured;
    }
    const entry = this.#read(file, name, text, sequence, rest);
    // Half written by something other than us: what stood before stands until it is readable again, or expires.
    if (entry.record === undefined && before?.record !== undefined) {
      this.#entries.set(file, { ...before, problem: entry.problem });
      return true;
    }
    this.#entries.set(file, entry);
    return this.#changed();
  }

  /** The file is there and not for us: what it said before holds until it expires. */
  unreadable(file: string, reason: string): boolean {
    const before = this.#entries.get(file);
    if (before?.problem !== undefined) return false;
    const problem = leftOut(file, `it cannot be read (${reason})`);
    const unknown = { file, rest: "", sequence: "", record: undefined, changedAt: this.#awakeMs, clearAt: Infinity };
    this.#entries.set(file, { ...(before ?? { ...unknown, state: "live" }), problem });
    return true;
  }

  /** The file is gone: its process left. */
  forget(file: string): boolean {
    return this.#entries.delete(file) && this.#changed();
  }

  /**
   * To be called every `TICK_MS`.
   * @param seeing whether the folder could be read lately
   * @returns whether the view changed
   */
  tick(seeing: boolean): boolean {
    const { clock } = this.#options;
    const elapsedMs = clock.now() - this.#tickedAt;
    this.#tickedAt = clock.now();
    if (seeing) this.#awakeMs += Math.min(elapsedMs, 2 * TICK_MS);
    let changed = false;
    for (const entry of this.#entries.values()) {
      if (entry.state !== "live" || entry.record === undefined) continue;
      if (this.#isGone(entry, entry.record)) this.#end(entry, "dead");
      else if (this.#ageMs(entry) > entry.record.lease.ttlMs) this.#end(entry, "expired");
      else continue;
      changed = this.#changed();
    }
    return changed;
  }

  /** Files whose renewal should have been seen by now: the watch may have missed it. */
  overdue(): string[] {
    const files: string[] = [];
    for (const entry of this.#entries.values()) {
      const ttlMs = entry.record?.lease.ttlMs ?? 0;
      if (entry.state !== "live" || this.#ageMs(entry) > ttlMs / 2) files.push(entry.file);
    }
    return files;
  }

  /** Of processes that ended a while ago, for clearing away; each is offered once. */
  takeCleared(): string[] {
    const due = [...this.#entries.values()].filter(
      ({ state, clearAt }) => state !== "live" && this.#awakeMs >= clearAt,
    );
    for (const entry of due) entry.clearAt = Infinity;
    return due.map(({ file }) => file);
  }

  #read(file: string, name: string, text: string, sequence: string, rest: string): Entry {
    const found = this.#options.parse(text, { file, namespace: name.slice(0, name.indexOf(".")) });
    const record = readLease(name, found.documents[0]);
    const base = { file, rest, sequence, changedAt: this.#awakeMs, clearAt: Infinity };
    if (typeof record === "string") {
      return { ...base, record: undefined, problem: leftOut(file, record), state: "live" };
    }
    const entry: Entry = { ...base, record, problem: undefined, state: "live" };
    if (this.#isGone(entry, record)) this.#end(entry, "dead");
    return entry;
  }

  #end(entry: Entry, state: "expired" | "dead"): void {
    entry.state = state;
    // Spread, so that fifty readers do not all try at the same moment.
    entry.clearAt = this.#awakeMs + CLEAR_AFTER_MS * (1 + this.#options.random.next());
  }

  /** Asking when a process started reads a file, so only at first sight and when a renewal is late. */
  #isGone(entry: Entry, { host: id, started, lease }: LeaseRecord): boolean {
    const { host } = this.#options;
    if (id === "" || id !== host.id) return false;
    if (!host.exists(lease.pid)) return true;
    const doubtful = entry.changedAt === this.#awakeMs || this.#ageMs(entry) > lease.ttlMs / 2;
    return doubtful && started !== "" && host.startOf(lease.pid) !== started; // the pid is someone else's, or a zombie's
  }

  #ageMs(entry: Entry): number {
    return this.#awakeMs - entry.changedAt;
  }

  #changed(): true {
    this.#leases = undefined;
    return true;
  }
}

function leftOut(file: string, reason: string): Problem {
  const message = `lease ${file} is left out: ${reason}. Such files are written by inmesh itself; remove it.`;
  return registryProblem("IM0703", "warning", message, { file });
}
