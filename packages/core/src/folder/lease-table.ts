/**
 * Which leases hold, by the reader's own clock. The writer's clock is never asked: a lease lives for `ttlMs` after the
 * last change that this reader saw, be it of the text or of the file's time. Time in which the reader itself stood still
 * (a stall, SIGSTOP, a sleeping laptop) does not count, since renewals could not be seen then; nor does time in which
 * the folder could not be read.
 */

import type { Problem } from "@inmesh/model";
import type { Clock } from "../runtime/clock.js";
import type { Random } from "../runtime/random.js";
import type { Host } from "../snapshot/host.js";
import { registryProblem } from "../snapshot/registry-problem.js";
import type { Lease } from "../snapshot/source.js";
import type { ParseDocuments } from "../snapshot/succeeding-documents.js";
import type { FileStat } from "./files.js";
import { isStampOf, type LeaseRecord, leaseNameOf, readLease, readSequence } from "./lease-file.js";

/** In ms, between two calls of `tick`: what a killed process on this machine stays visible. */
export const TICK_MS = 250;
/** In ms: a lease that ended this long ago is cleared away, by whichever reader comes first. */
const CLEAR_AFTER_MS = 30_000;

interface Entry {
  readonly file: string;
  readonly text: string;
  readonly sequence: number;
  /** Which file the text was read from: renewing leaves it in its place. */
  readonly id: string;
  /** As the file looked when it was last looked at. */
  signature: string;
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
  #problems: readonly Problem[] | undefined;

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

  /** The same array until one comes or goes. */
  get problems(): readonly Problem[] {
    this.#problems ??= [...this.#entries.values()].flatMap(({ problem }) => problem ?? []);
    return this.#problems;
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

  /** A watch saw the file's time change. A live lease needs no look to be believed. @returns false when it needs one */
  touched(file: string): boolean {
    const entry = this.#entries.get(file);
    if (entry?.state !== "live" || entry.record === undefined) return false;
    entry.changedAt = this.#awakeMs;
    return true;
  }

  /** @returns whether the file must be read, because it may hold another text than the one known */
  mustRead(file: string, { id, signature, changedAt }: FileStat): boolean {
    const entry = this.#entries.get(file);
    if (entry === undefined) return true;
    if (entry.signature === signature) return false;
    if (entry.id !== id || !isStampOf(entry.sequence, changedAt)) return true;
    entry.signature = signature;
    entry.changedAt = this.#awakeMs;
    this.#revive(entry);
    return false;
  }

  /** What the file says, and how it looked just before. */
  observe(file: string, text: string, { id, signature }: FileStat): void {
    const name = leaseNameOf(file);
    if (name === undefined) return;
    const before = this.#entries.get(file);
    if (before?.text === text && before.record !== undefined) {
      if (before.problem !== undefined) this.#changed();
      const again = { ...before, id, signature, changedAt: this.#awakeMs, problem: undefined };
      this.#entries.set(file, again);
      this.#revive(again);
      return;
    }
    const entry = this.#entry(file, { ...this.#read(file, name, text), text, id, signature });
    // Half written by something other than us: what stood before stands until it is readable again, or expires.
    if (entry.record === undefined && before?.record !== undefined) {
      this.#entries.set(file, { ...before, id, signature, problem: entry.problem });
    } else {
      this.#entries.set(file, entry);
      if (entry.record !== undefined && this.#isGone(entry, entry.record)) this.#end(entry, "dead");
    }
    this.#changed();
  }

  /** The file is there and not for us: what it said before holds until it expires. */
  unreadable(file: string, reason: string): void {
    const before = this.#entries.get(file);
    if (before?.problem !== undefined) return;
    const problem = leftOut(file, `it cannot be read (${reason})`);
    this.#entries.set(file, before ? { ...before, problem } : this.#entry(file, { problem }));
    this.#changed();
  }

  /** The file is gone: its process left. */
  forget(file: string): void {
    if (this.#entries.delete(file)) this.#changed();
  }

  /**
   * To be called every `TICK_MS`.
   * @param seeing whether the folder could be read lately
   */
  tick(seeing: boolean): void {
    const { clock } = this.#options;
    const elapsedMs = clock.now() - this.#tickedAt;
    this.#tickedAt = clock.now();
    if (seeing) this.#awakeMs += Math.min(elapsedMs, 2 * TICK_MS);
    for (const entry of this.#entries.values()) {
      if (entry.state !== "live" || entry.record === undefined) continue;
      if (this.#isGone(entry, entry.record)) this.#end(entry, "dead");
      else if (this.#ageMs(entry) > entry.record.lease.ttlMs) this.#end(entry, "expired");
    }
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

  #read(file: string, name: string, text: string): Partial<Entry> {
    const found = this.#options.parse(text, { file, namespace: name.slice(0, name.indexOf(".")) });
    const record = readLease(name, found.documents[0]);
    return typeof record === "string" ? { problem: leftOut(file, record) } : { record, sequence: readSequence(text) };
  }

  #entry(file: string, known: Partial<Entry>): Entry {
    const unknown = { text: "", id: "", signature: "", sequence: -1, record: undefined, problem: undefined };
    return { ...unknown, file, changedAt: this.#awakeMs, state: "live", clearAt: Infinity, ...known };
  }

  /** Its process had stood still and goes on. */
  #revive(entry: Entry): void {
    if (entry.state === "live" || entry.record === undefined || this.#isGone(entry, entry.record)) return;
    entry.state = "live";
    this.#changed();
  }

  #end(entry: Entry, state: "expired" | "dead"): void {
    entry.state = state;
    this.#changed();
    // Spread, so that fifty readers do not all try at the same moment.
    entry.clearAt = this.#awakeMs + CLEAR_AFTER_MS * (1 + this.#options.random.next());
  }

  /** Asking when a process started reads a file, so only at first sight and when a renewal is late. */
  #isGone(entry: Entry, { host: id, started, lease }: LeaseRecord): boolean {
    const { host } = this.#options;
    if (id === "" || id !== host.id) return false;
    if (!host.exists(lease.pid)) return true;
    const doubtful = entry.changedAt === this.#awakeMs || this.#ageMs(entry) > lease.ttlMs / 2;
    if (!doubtful || started === "") return false;
    const startOfPid = host.startOf(lease.pid);
    return startOfPid !== undefined && startOfPid !== started; // the pid is someone else's, or a zombie's
  }

  #ageMs(entry: Entry): number {
    return this.#awakeMs - entry.changedAt;
  }

  #changed(): void {
    this.#leases = undefined;
    this.#problems = undefined;
  }
}

function leftOut(file: string, reason: string): Problem {
  const message = `lease ${file} is left out: ${reason}. Such files are written by inmesh itself; remove it.`;
  return registryProblem("IM0703", "warning", message, { file });
}
