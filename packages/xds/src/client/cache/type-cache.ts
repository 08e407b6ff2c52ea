/** All resources of one type from one authority: who wants them, what is known of each, and what an answer changes. */

import type { Clock, Timer } from "@inmesh/core";
import type { AdsAnswer, SentError } from "../ads/messages.js";
import type { ResourceChanges, ResourceType } from "../watch.js";
import type { AnswerReader, Finding } from "./answer-reader.js";
import { ByteShelf } from "./byte-shelf.js";
import { type Entry, emptyEntry, type Moment, type Refusal, tellError } from "./entry.js";
import { WantedNames } from "./wanted-names.js";

export interface TypeCacheOptions {
  readonly clock: Clock;
  /** Of servers that say so (gRFC A88): what is refused or denied is gone too, where it stays in use otherwise. */
  readonly failOnDataErrors: boolean;
  /** The very text of a name that is kept anyway: a service's resources of all types are often called the same. */
  readonly knownName: (name: string) => string | undefined;
}

export interface Watcher<Value> {
  readonly all: boolean;
  readonly names: ReadonlySet<string>;
  tell(changes: ResourceChanges<Value>): void;
}

/** google.rpc.Code of errors that say what is, where others say that the server could not find out: NOT_FOUND, PERMISSION_DENIED. */
const FINAL_CODES: ReadonlySet<number> = new Set([5, 7]);

const PREFIX = "type.googleapis.com/";

export class TypeCache<Value = unknown> {
  readonly traffic = { accepted: 0, rejected: 0, bytes: 0 };
  readonly type: ResourceType<Value>;
  /** As requests say it: Istio's own kinds are whole as they are. */
  readonly typeUrl: string;
  readonly wanted = new WantedNames();
  /** Where the bytes of its resources are. */
  readonly shelf = new ByteShelf();
  readonly #options: TypeCacheOptions;
  readonly #entries = new Map<string, Entry<Value>>();
  /** Of those that do not live until further notice. */
  readonly #lifetimes = new Map<string, Timer>();
  readonly #watchers = new Set<Watcher<Value>>();
  /** Watchers of everything that know that the server has answered. */
  readonly #informed = new WeakSet<Watcher<Value>>();
  /** The server has answered for the type: what is not known there is not. */
  isAnswered = false;

  constructor(type: ResourceType<Value>, options: TypeCacheOptions) {
    this.type = type;
    this.typeUrl = type.url.includes("/") ? type.url : PREFIX + type.url;
    this.#options = options;
  }

  addWatcher(watcher: Watcher<Value>): void {
    this.#watchers.add(watcher);
  }

  removeWatcher(watcher: Watcher<Value>): void {
    this.#watchers.delete(watcher);
  }

  entry(name: string): Entry<Value> | undefined {
    return this.#entries.get(name);
  }

  /** The text that a name is kept by, if it is. */
  nameOf(name: string): string {
    return this.#entries.get(name)?.name ?? this.#options.knownName(name) ?? name;
  }

  entries(): IterableIterator<Entry<Value>> {
    return this.#entries.values();
  }

  /** An answer was worked through. */
  count(isRefused: boolean, bytes: number): void {
    this.traffic[isRefused ? "rejected" : "accepted"] += 1;
    this.traffic.bytes += bytes;
  }

  /** Names that were asked for and have no value yet, nor word that there is none. */
  get hasUnanswered(): boolean {
    for (const entry of this.#entries.values()) if (isUnanswered(entry)) return true;
    return this.wanted.all && this.#entries.size === 0;
  }

  /** A name that is asked for from now on. */
  expect(name: string): void {
    this.#entryOf(name);
  }

  #entryOf(name: string): Entry<Value> {
    const known = this.#entries.get(name);
    if (known !== undefined) return known;
    const entry = emptyEntry<Value>(this.nameOf(name));
    this.#entries.set(entry.name, entry);
    return entry;
  }

  /** Forgets what nobody wants any more, and the server has been told so. */
  forgetUnwanted(): void {
    for (const entry of this.#entries.values()) if (!this.wanted.has(entry.name)) this.#forget(entry);
  }

  /** Versions of what is held, by name, as a new stream is told. */
  heldVersions(): Map<string, string> {
    const held = new Map<string, string>();
    for (const { name, sent, answerVersion } of this.#entries.values()) {
      if (sent !== undefined) held.set(name, sent.version ?? answerVersion);
    }
    return held;
  }

  /** What is known of `names` (undefined: of all) now: for a watcher that came later. */
  known(names: Iterable<string> | undefined): ResourceChanges<Value> {
    const changes = new Changes<Value>();
    for (const name of names ?? this.#entries.keys()) {
      const entry = this.#entries.get(name);
      if (entry === undefined) continue;
      if (entry.sent !== undefined)
        changes.changed.set(name, entry.value as Value); // bytes are there, so it was read
      else if (entry.state === "DOES_NOT_EXIST" || entry.state === "TIMEOUT") changes.removed.add(name);
    }
    return changes;
  }

  /** Takes over what was read. Watchers are told by `tell`, after the server was answered. */
  commit({ findings, problems, isComplete }: AnswerReader<Value>, answer: AdsAnswer): ResourceChanges<Value> {
    const changes = new Changes<Value>();
    const now = { at: this.#options.clock.wallTime() };
    this.isAnswered = true;
    for (const finding of findings) this.#take(finding, answer.version, now, changes);
    for (const name of answer.removed) this.#remove(name, "the server says that there is none", changes);
    for (const error of answer.errors) this.#fail(error, changes);
    // Whatever could not be named may be one of those that seem to be missing.
    if (this.type.wholeState && isComplete && !problems.some(({ name }) => name === undefined)) {
      const present = new Set(findings.map(({ name }) => name));
      for (const { name, sent } of this.#entries.values()) {
        if (sent !== undefined && !present.has(name) && !problems.some((problem) => problem.name === name)) {
          this.#remove(name, "it is not among those that the server has", changes);
        }
      }
    }
    for (const { name, text, bytes, version } of problems) {
      const refusal = { bytes, version: version || answer.version, at: now.at };
      if (name !== undefined) this.#refuse(name, text, refusal, changes);
    }
    return changes;
  }

  /** Nobody answered for those of `names` that are still open. @param told whether watchers hear that there is none */
  giveUp(names: Iterable<string>, afterMs: number, told: boolean): void {
    const changes = new Changes<Value>();
    for (const name of names) {
      const entry = this.#entries.get(name);
      if (entry === undefined || !isUnanswered(entry)) continue;
      tellError(entry, "TIMEOUT", entry.trouble?.error ?? `no answer in ${afterMs / 1_000} s`);
      if (told) changes.removed.add(name);
    }
    this.tell(changes);
  }

  /** Each watcher hears what it asked for; one of everything also that there is nothing. */
  tell(changes: ResourceChanges<Value>): void {
    for (const watcher of [...this.#watchers]) {
      const own = watcher.all ? changes : restricted(changes, watcher.names);
      const isNews = this.#isNews(watcher);
      if (isNews || own.changed.size > 0 || own.removed.size > 0) watcher.tell(own);
    }
  }

  /** That there has been an answer. */
  #isNews(watcher: Watcher<Value>): boolean {
    if (!watcher.all || !this.isAnswered || this.#informed.has(watcher)) return false;
    this.#informed.add(watcher);
    return true;
  }

  close(): void {
    for (const timer of this.#lifetimes.values()) timer.cancel();
    this.#lifetimes.clear();
    this.#entries.clear();
    this.#watchers.clear();
  }

  #take(finding: Finding<Value>, answerVersion: string, now: Moment, changes: Changes<Value>): void {
    const { ttlMs, kind } = finding;
    const entry = this.#entryOf(finding.name);
    const { name } = entry;
    this.#endLifetime(name);
    if (ttlMs !== undefined)
      this.#lifetimes.set(
        name,
        this.#options.clock.after(ttlMs, () => this.#expire(name)),
      );
    if (kind === "alive") return;
    entry.state = "ACKED";
    entry.answerVersion = answerVersion;
    entry.trouble = undefined;
    if (kind === "same") {
      if (finding.place !== undefined) entry.sent?.move(finding.place);
      return;
    }
    entry.sent = finding.sent;
    entry.updated = now;
    if (kind === "alike") return;
    entry.value = finding.value;
    changes.changed.set(name, finding.value);
  }

  #refuse(name: string, error: string, refusal: Refusal, changes: Changes<Value>): void {
    const entry = this.#entryOf(name);
    if (entry.sent !== undefined && this.#options.failOnDataErrors) this.#drop(entry, changes);
    entry.state = "NACKED";
    entry.trouble = { error, refusal };
  }

  #fail({ name, problem }: SentError, changes: Changes<Value>): void {
    const entry = this.#entries.get(name);
    if (entry === undefined) return; // of something that nobody asked for
    const final = FINAL_CODES.has(problem.code);
    if (entry.sent === undefined ? final : final && this.#options.failOnDataErrors) this.#drop(entry, changes);
    tellError(entry, "RECEIVED_ERROR", problem.message || `the server answered with status ${problem.code}`);
  }

  #expire(name: string): void {
    const changes = new Changes<Value>();
    this.#remove(name, "its time to live is over", changes);
    this.tell(changes);
  }

  #remove(name: string, text: string, changes: Changes<Value>): void {
    const entry = this.#entries.get(name);
    if (entry === undefined) return;
    this.#drop(entry, changes);
    tellError(entry, "DOES_NOT_EXIST", text);
    if (this.wanted.all && !this.wanted.names.has(name)) this.#forget(entry);
  }

  /** The version of what was good last goes on being shown. */
  #drop(entry: Entry<Value>, changes: Changes<Value>): void {
    this.#endLifetime(entry.name);
    entry.answerVersion = entry.sent?.version || entry.answerVersion;
    entry.sent = undefined;
    entry.value = undefined;
    changes.changed.delete(entry.name);
    changes.removed.add(entry.name);
  }

  #forget({ name }: Entry<Value>): void {
    this.#endLifetime(name);
    this.#entries.delete(name);
  }

  #endLifetime(name: string): void {
    this.#lifetimes.get(name)?.cancel();
    this.#lifetimes.delete(name);
  }
}

class Changes<Value> implements ResourceChanges<Value> {
  readonly changed = new Map<string, Value>();
  readonly removed = new Set<string>();
}

function isUnanswered({ state, sent }: Entry<unknown>): boolean {
  return sent === undefined && (state === "REQUESTED" || state === "NACKED" || state === "RECEIVED_ERROR");
}

function restricted<Value>(changes: ResourceChanges<Value>, names: ReadonlySet<string>): ResourceChanges<Value> {
  const own = new Changes<Value>();
  for (const [name, value] of changes.changed) if (names.has(name)) own.changed.set(name, value);
  for (const name of changes.removed) if (names.has(name)) own.removed.add(name);
  return own;
}
