/** Holds the snapshot in force. One writer, the pipeline; readers take `current` once per call and keep it. */

import type { Snapshot } from "@inmesh/model";
import { MeshError } from "../errors.js";
import { type Clock, systemClock } from "../runtime/clock.js";

export interface SnapshotStoreOptions {
  readonly clock?: Clock;
  /** Why there is nothing yet, for the error of a call that waited in vain. */
  readonly explain?: () => string | undefined;
  /** Told when a listener throws; the others are served all the same. @default says nothing */
  readonly onListenerError?: (error: unknown) => void;
}

/** Longest wait for the first snapshot, in ms. */
export const READY_TIMEOUT_MS = 5_000;

export class SnapshotStore {
  readonly #clock: Clock;
  readonly #explain: () => string | undefined;
  readonly #onListenerError: (error: unknown) => void;
  readonly #listeners = new Set<(snapshot: Snapshot, previous: Snapshot | undefined) => void>();
  readonly #waiting = new Set<(snapshot: Snapshot) => void>();
  #current: Snapshot | undefined;

  constructor({
    clock = systemClock,
    explain = () => undefined,
    onListenerError = () => {},
  }: SnapshotStoreOptions = {}) {
    this.#clock = clock;
    this.#explain = explain;
    this.#onListenerError = onListenerError;
  }

  /** Undefined before the first publication. */
  get current(): Snapshot | undefined {
    return this.#current;
  }

  /** Version that the next snapshot must carry. */
  get nextVersion(): number {
    return (this.#current?.version ?? 0) + 1;
  }

  /** @throws {MeshError} CONFIG_INVALID unless the version is the next one: there is a second writer */
  publish(snapshot: Snapshot): void {
    if (snapshot.version !== this.nextVersion) {
      const expected = `version ${this.nextVersion} is next, got ${snapshot.version}`;
      throw new MeshError("CONFIG_INVALID", `snapshots are published one after the other: ${expected}`);
    }
    const previous = this.#current;
    this.#current = snapshot;
    for (const listener of [...this.#listeners]) this.#tell(() => listener(snapshot, previous));
    for (const resolve of [...this.#waiting]) resolve(snapshot);
  }

  /** Hears of every later snapshot. @returns stops it */
  subscribe(listener: (snapshot: Snapshot, previous: Snapshot | undefined) => void): () => void {
    this.#listeners.add(listener);
    return () => void this.#listeners.delete(listener);
  }

  /**
   * The current snapshot, or the first one as soon as it is there. Rejects with `signal.reason` when the signal aborts.
   * @param timeoutMs at most 5,000
   * @throws {MeshError} CONFIG_UNAVAILABLE after `timeoutMs`
   */
  ready(timeoutMs: number = READY_TIMEOUT_MS, signal?: AbortSignal): Promise<Snapshot> {
    if (signal?.aborted) return Promise.reject(signal.reason);
    if (this.#current !== undefined) return Promise.resolve(this.#current);
    const waitMs = Math.min(timeoutMs, READY_TIMEOUT_MS);
    return new Promise((resolve, reject) => {
      const finish = (settle: () => void): void => {
        timer.cancel();
        this.#waiting.delete(served);
        signal?.removeEventListener("abort", aborted);
        settle();
      };
      const served = (snapshot: Snapshot): void => finish(() => resolve(snapshot));
      const aborted = (): void => finish(() => reject(signal?.reason));
      const timer = this.#clock.hold(waitMs, () => finish(() => reject(this.#unavailable(waitMs))));
      this.#waiting.add(served);
      signal?.addEventListener("abort", aborted, { once: true });
    });
  }

  #unavailable(waitMs: number): MeshError {
    const reason = this.#explain() ?? "the registry has not answered";
    return new MeshError(
      "CONFIG_UNAVAILABLE",
      `no configuration after ${Math.round(waitMs)} ms: ${reason}, and none was kept from an earlier run`,
    );
  }

  #tell(call: () => void): void {
    try {
      call();
    } catch (error) {
      this.#onListenerError(error);
    }
  }
}
