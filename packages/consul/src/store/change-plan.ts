/** What one writer is about to do, cut into transactions: as many changes in each as a server takes at once. */

import type { ApplyResult } from "@inmesh/core";
import { bytesOf, MOST_BYTES, MOST_OPERATIONS, type Operation } from "./transaction.js";

/** One change of one document: its keys, its record, and records that make room for it. */
export interface PlannedChange {
  readonly results: readonly ApplyResult[];
  /** New text of each key that holds the document; undefined: nothing is left in it. */
  readonly edits: ReadonlyMap<string, string | undefined>;
  /** Absent where nothing changes. */
  readonly record?: { readonly key: string; readonly text: string; readonly spare: readonly string[] };
}

export interface Batch {
  readonly changes: readonly PlannedChange[];
  /** False for a single change that no transaction can hold. */
  readonly fits: boolean;
}

/** In order: of two changes in one key the later text holds both. */
export function batchesOf(changes: readonly PlannedChange[]): Batch[] {
  const batches: Batch[] = [];
  let open = new OpenBatch();
  for (const change of changes) {
    if (open.take(change)) continue;
    if (open.changes.length > 0) batches.push({ changes: open.changes, fits: true });
    open = new OpenBatch();
    if (!open.take(change)) batches.push({ changes: [change], fits: false });
  }
  return open.changes.length > 0 ? [...batches, { changes: open.changes, fits: true }] : batches;
}

class OpenBatch {
  readonly changes: PlannedChange[] = [];
  /** Of each operation, by its key. */
  readonly #bytes = new Map<string, number>();
  #sum = 2; // the brackets around them

  /** @returns false when it would be too much */
  take(change: PlannedChange): boolean {
    const bytes = new Map(
      operationsOf([change], () => Number.MAX_SAFE_INTEGER).map((each) => [each.key, bytesOf(each)]),
    );
    const keys = new Set([...this.#bytes.keys(), ...bytes.keys()]);
    const sum = [...bytes].reduce((sum, [key, size]) => sum + size - (this.#bytes.get(key) ?? 0), this.#sum);
    if (keys.size > MOST_OPERATIONS || sum > MOST_BYTES) return false;
    for (const [key, size] of bytes) this.#bytes.set(key, size);
    this.#sum = sum;
    this.changes.push(change);
    return true;
  }
}

/** @param indexOf what a key was when it was read; 0: it was not there */
export function operationsOf(changes: readonly PlannedChange[], indexOf: (key: string) => number): Operation[] {
  const edits = new Map(changes.flatMap(({ edits }) => [...edits]));
  const keys = [...edits].map(([key, text]) => ({ key, text, index: indexOf(key) }));
  const records = changes.flatMap(({ record }): Operation[] =>
    record === undefined
      ? []
      : [
          { key: record.key, text: record.text, index: 0 },
          ...record.spare.map((key) => ({ key, text: undefined, index: undefined })),
        ],
  );
  return [...keys, ...records];
}
