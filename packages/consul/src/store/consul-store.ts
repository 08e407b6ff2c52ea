/**
 * The write side of policy in Consul: every change is checked against what was read and written together with its record
 * in the history, or not at all. Whoever comes second reads again and makes his change on top.
 */

import {
  type ApplyResult,
  type ChangeNote,
  type Clock,
  MeshError,
  type Random,
  type Revision,
  type Store,
  sleep,
  systemClock,
  systemRandom,
} from "@inmesh/core";
import type { ParseDocuments } from "@inmesh/core/internal";
import { backoffMs, PolicyTexts, type TextChange } from "@inmesh/core/internal";
import type { Document } from "@inmesh/model";
import type { ConsulClient } from "../client/consul-client.js";
import { ConsulError } from "../client/consul-error.js";
import { historyPrefix, policyKey, policyPrefix, servicesPrefix } from "../keys.js";
import { type Batch, batchesOf, operationsOf, type PlannedChange } from "./change-plan.js";
import { HistoryKeys } from "./history-keys.js";
import { checkAndSet, readText, readTree, readTrees } from "./kv-pair.js";
import { putInPlace } from "./put-in-place.js";
import { formatRevision, parseRevision } from "./revision-record.js";
import { commit, MOST_OPERATIONS } from "./transaction.js";

export interface ConsulStoreOptions {
  readonly client: ConsulClient;
  readonly parse: ParseDocuments;
  readonly clock?: Clock;
  readonly random?: Random;
}

/** Of Consul, per value, in bytes. */
const MOST_VALUE_BYTES = 512 * 1024;
/** With a server that fails, in ms: a new leader is there after three or four seconds. */
const OUTAGE_MS = 15_000;
/** With other writers, in ms: each round lets one of them through. */
const CROWD_MS = 30_000;
const RETRY = { baseMs: 20, maxMs: 1_000 };
/** Of changes that a program makes without saying who it is. */
const NOBODY: ChangeNote = { who: "unknown" };

/** A change that is wanted: of a document, or its end. */
interface Wish {
  readonly key: string;
  /** Undefined: the resource is to be deleted. */
  readonly document?: Document;
}

/** What was read, and what is done about it. */
interface Attempt {
  readonly texts: PolicyTexts;
  readonly indexes: Map<string, number>;
}

interface Plan {
  readonly attempt: Attempt;
  readonly changes: readonly PlannedChange[];
}

export class ConsulStore implements Store {
  readonly #client: ConsulClient;
  readonly #parse: ParseDocuments;
  readonly #clock: Clock;
  readonly #random: Random;
  /** Changes of this process wait for one another before they compete with those of others. */
  #last: Promise<unknown> = Promise.resolve();

  constructor({ client, parse, clock = systemClock, random = systemRandom }: ConsulStoreOptions) {
    this.#client = client;
    this.#parse = parse;
    this.#clock = clock;
    this.#random = random;
  }

  /** Oldest key first. @throws {MeshError} CONFIG_UNAVAILABLE */
  list(): Promise<readonly Document[]> {
    return this.#told(async () => (await this.#read()).texts.documents);
  }

  /**
   * Each document goes to the key that holds it, else to the one named after it, below the service that it is for alone
   * or below the policy for all. One that is no longer right where it stands moves there. Many at once are written in
   * several transactions: those before a failing one stay.
   * @throws {MeshError} CONFIG_INVALID for one that is too large, CONFIG_UNAVAILABLE
   */
  apply(documents: readonly Document[], note = NOBODY): Promise<readonly ApplyResult[]> {
    return this.#change(
      documents.map((document) => ({ key: document.key, document })),
      note,
    );
  }

  /** From every key that holds it. @throws {MeshError} CONFIG_UNAVAILABLE */
  delete(keys: readonly string[], note = NOBODY): Promise<readonly ApplyResult[]> {
    return this.#change(
      keys.map((key) => ({ key })),
      note,
    );
  }

  /** @throws {MeshError} CONFIG_UNAVAILABLE */
  history(key: string): Promise<readonly Revision[]> {
    return this.#told(async () => {
      const records = await readTree(this.#client, historyPrefix(this.#client.target, key));
      const revisions = records.flatMap(({ text }) => parseRevision(text) ?? []);
      return revisions.filter((revision) => revision.key === key).sort((a, b) => Number(b.id) - Number(a.id));
    });
  }

  /** Why policy of a namespace cannot be written with this token, found without writing any; undefined when it can. */
  async obstacle(namespace: string): Promise<string | undefined> {
    const { target } = this.#client;
    const key = `MeshMode/${namespace}/inmesh-check`;
    const keys = [policyKey(target, key), policyKey(target, key, { namespace, service: "inmesh-check" })];
    try {
      // No key ever has this index: what may be written is stale, what may not is denied.
      await commit(
        this.#client,
        keys.map((key) => ({ key, text: "", index: Number.MAX_SAFE_INTEGER })),
      );
      return undefined;
    } catch (error) {
      if (error instanceof ConsulError) return error.message;
      throw error;
    }
  }

  #change(wishes: readonly Wish[], note: ChangeNote): Promise<readonly ApplyResult[]> {
    const done = this.#last.then(() => this.#told(() => this.#try(wishes, note)));
    this.#last = done.catch(() => {});
    return done;
  }

  async #try(wishes: readonly Wish[], note: ChangeNote): Promise<readonly ApplyResult[]> {
    const startedAt = this.#clock.now();
    const results: ApplyResult[] = [];
    let left = wishes;
    /** Keys of resources that change. */
    const changing = new Set<string>();
    /** A transaction of which nobody knows whether it took place. */
    let doubt: Batch | undefined;
    const take = ({ changes }: Batch): void => {
      results.push(...changes.flatMap((change) => change.results));
      left = left.slice(changes.length);
      doubt = undefined;
    };
    for (let failures = 1; ; failures++) {
      try {
        if (doubt !== undefined && (await this.#happened(doubt))) take(doubt);
        doubt = undefined;
        const { attempt, changes } = await this.#plan(left, note, changing);
        for (const batch of batchesOf(changes)) {
          if (batch.fits) doubt = batch;
          const made = await this.#write(batch, attempt);
          if (made) take(batch);
          if (!made || !batch.fits) break; // what was read is old
        }
        doubt = undefined;
        if (left.length === 0) return results;
        if (this.#clock.now() - startedAt > CROWD_MS) throw this.#crowded();
      } catch (error) {
        const passing = error instanceof ConsulError && error.kind === "failed";
        if (!passing || this.#clock.now() - startedAt > OUTAGE_MS) throw error;
      }
      await sleep(this.#clock, backoffMs(RETRY, failures, this.#random));
    }
  }

  async #read(): Promise<Attempt> {
    const { target } = this.#client;
    const texts = new PolicyTexts({ parse: this.#parse, namespace: target.namespace });
    const indexes = new Map<string, number>();
    const prefixes = [policyPrefix(target), servicesPrefix(target)];
    for (const { key, text, modifyIndex } of await readTrees(this.#client, prefixes)) {
      texts.set(key, text);
      indexes.set(key, modifyIndex);
    }
    return { texts, indexes };
  }

  /**
   * One planned change for each wish. The place of its record is looked for before the keys are read: whoever changes the
   * resource meanwhile takes this place. The keys would not tell that he did: it may have moved to another one, and to
   * Consul the deletion of a key that is gone is done.
   * @param changing what is known to change, and comes to be known
   */
  async #plan(wishes: readonly Wish[], note: ChangeNote, changing: Set<string>): Promise<Plan> {
    const at = this.#clock.wallTime();
    for (;;) {
      const places = new HistoryKeys(this.#client);
      await places.load(wishes.flatMap(({ key }) => (changing.has(key) ? key : [])));
      const attempt = await this.#read();
      const changes = wishes.map((wish) => this.#changeOf(wish, attempt.texts, at));
      for (const change of changes) refuseTooLarge(change);
      const others = changes.flatMap((change) => (isChange(change) && !changing.has(change.key) ? change.key : []));
      for (const key of others) changing.add(key);
      if (others.length > 0) continue;
      const planned = changes.map((change) =>
        change === undefined ? { results: [], edits: new Map() } : plannedChange(change, places, at, note),
      );
      return { attempt, changes: planned };
    }
  }

  #changeOf({ key, document }: Wish, texts: PolicyTexts, at: number): TextChange | undefined {
    return document === undefined ? texts.delete(key) : putInPlace(this.#client.target, document, texts, at);
  }

  /** @returns false when another writer was first; then nothing of it is written */
  async #write({ changes, fits }: Batch, { indexes }: Attempt): Promise<boolean> {
    const operations = operationsOf(changes, (key) => indexes.get(key) ?? 0);
    if (operations.length === 0) return true;
    if (!fits) return this.#writeLarge(changes[0]!, indexes); // a batch that fits nowhere is of one
    const made = await commit(this.#client, operations);
    if (made === undefined) return false;
    for (const { key, text } of operations) {
      if (text === undefined) indexes.delete(key);
      else indexes.set(key, made.get(key) ?? 0);
    }
    return true;
  }

  /**
   * A transaction takes less than a value may be, and this change is more. Its record first: an end between the two
   * leaves a record of a change that was not made, never a change without a record.
   */
  async #writeLarge({ edits, record }: PlannedChange, indexes: Map<string, number>): Promise<boolean> {
    if (record === undefined || !(await checkAndSet(this.#client, record.key, record.text, 0))) return false;
    for (const [key, text] of edits) {
      if (await checkAndSet(this.#client, key, text, indexes.get(key) ?? 0)) continue;
      await commit(this.#client, [{ key: record.key, text: undefined, index: undefined }]);
      return false;
    }
    const spare = record.spare.map((key) => ({ key, text: undefined, index: undefined }));
    if (spare.length > 0) await commit(this.#client, spare.slice(0, MOST_OPERATIONS));
    return true;
  }

  /** Whether a transaction took place whose answer was lost: its records say so, since they stand or fall with it. */
  async #happened({ changes }: Batch): Promise<boolean> {
    const record = changes.find((change) => change.record !== undefined)?.record;
    return record !== undefined && (await readText(this.#client, record.key)) === record.text;
  }

  #crowded(): MeshError {
    const { shown, target } = this.#client;
    const message = `${shown}: others kept changing the keys below ${policyPrefix(target)} and ${servicesPrefix(target)} for ${CROWD_MS / 1_000} s; try again when they are done`;
    return new MeshError("CONFIG_UNAVAILABLE", message);
  }

  async #told<T>(work: () => Promise<T>): Promise<T> {
    try {
      return await work();
    } catch (error) {
      if (!(error instanceof ConsulError)) throw error;
      throw new MeshError("CONFIG_UNAVAILABLE", error.message, { cause: error });
    }
  }
}

/** @throws {MeshError} CONFIG_INVALID */
function refuseTooLarge(change: TextChange | undefined): void {
  if (change === undefined || change.outcome === "unchanged") return;
  for (const { path, text } of change.edits) {
    const bytes = text === undefined ? 0 : Buffer.byteLength(text);
    if (bytes <= MOST_VALUE_BYTES) continue;
    const message = `${change.key} makes the key ${path} ${bytes} bytes long, and Consul keeps at most ${MOST_VALUE_BYTES} in one; nothing was written. Split it into several resources, such as VirtualServices for a host each`;
    throw new MeshError("CONFIG_INVALID", message);
  }
}

function plannedChange(change: TextChange, places: HistoryKeys, at: number, note: ChangeNote): PlannedChange {
  const { key, outcome, where, edits, ...texts } = change;
  const results = where.map((path) => ({ key, outcome, where: path }));
  if (outcome === "unchanged") return { results, edits: new Map() };
  const { who, reason } = note;
  const { id, key: recordKey, spare } = places.next(key);
  const revision: Revision = { id, key, at, who, ...(reason !== undefined && { reason }), outcome, ...texts };
  return {
    results,
    edits: new Map(edits.map(({ path, text }) => [path, text])),
    record: { key: recordKey, text: formatRevision(revision, MOST_VALUE_BYTES), spare },
  };
}

function isChange(change: TextChange | undefined): change is TextChange {
  return change !== undefined && change.outcome !== "unchanged";
}
