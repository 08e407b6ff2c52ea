/**
 * Copies of requests, sent beside them and forgotten (policy-semantics §1.9). A copy has its own pick, deadline and
 * counters; whatever becomes of it, the request it was made of neither waits for it nor hears of it.
 * docs/design/2026-11-27-mirrors.md.
 */

import type { Destination, MirrorPolicy, Route } from "@inmesh/model";
import type { Call } from "../call/call.js";
import { MeshError } from "../errors.js";
import { throwLater } from "../runtime/throw-later.js";
import type { Engine } from "../stack/engine.js";
import { CallRecord } from "../telemetry/call-record.js";
import { FlightRecorder } from "../telemetry/flight-recorder.js";
import { MirrorCall, type MirrorTarget } from "./mirror-call.js";
import { type MirrorReading, type MirrorSkip, MirrorTally } from "./mirror-tally.js";

/** Where the rule has no timeout: nothing else ends a copy that nobody waits for. Envoy's default for routes, in ms. */
export const MIRROR_TIMEOUT_MS = 15_000;
/** Copies under way to one cluster; a connection each when it hangs. */
export const MOST_IN_FLIGHT = 128;
/** Bodies that they may keep alive together. A larger one goes alone. In bytes. */
export const MOST_HELD_BYTES = 64 * 1024 * 1024;

/** Copies whose end is kept. */
const COPIES_KEPT = 64;

export interface MirrorsOptions {
  /** Of this process, as others see it: what copies add to `x-forwarded-for`. */
  readonly address: () => string;
  /** What people should know, said once. */
  readonly notice: (message: string) => void;
}

export class Mirrors {
  /** Apart from the calls that somebody waited for. */
  readonly recorder = new FlightRecorder(COPIES_KEPT);
  readonly #engine: Engine;
  readonly #options: MirrorsOptions;
  readonly #tallies = new Map<string, MirrorTally>();
  readonly #running = new Set<MirrorCall>();
  readonly #noticed = new Set<string>();
  #closed = false;

  constructor(engine: Engine, options: MirrorsOptions) {
    this.#engine = engine;
    this.#options = options;
  }

  /** Once per route. */
  targets(route: Route): readonly MirrorTarget[] {
    const { retry, timeoutMs } = route;
    // The rule's timeout holds, and nothing of it that is about attempts.
    const own: Route = {
      ...route,
      timeoutMs: timeoutMs || MIRROR_TIMEOUT_MS,
      retry: { ...retry, maxAttempts: 1, perTryTimeoutMs: 0, on: new Set(), statusCodes: new Set(), tokens: [] },
      mirrors: [],
      rewrite: undefined, // done: copies are made of what it left
    };
    const stack = this.#engine.plainStack(own);
    return route.mirrors.map((policy) => ({ policy, tally: this.#tally(policy), route: own, stack }));
  }

  /** Draws, and copies what is there to be copied. To be called before `primary` goes on. */
  prepare(primary: Call, targets: readonly MirrorTarget[]): MirrorCall[] | undefined {
    let prepared: MirrorCall[] | undefined;
    for (const target of targets) {
      const { ratio } = target.policy;
      if (ratio < 1 && this.#engine.random.next() >= ratio) continue;
      const copy = this.#copy(primary, target);
      if (copy === undefined) continue;
      if (prepared === undefined) prepared = [copy];
      else prepared.push(copy);
    }
    return prepared;
  }

  /** Once `primary` is on its way: each copy goes as soon as its body is whole. */
  send(primary: Call, copies: readonly MirrorCall[]): void {
    const unsent = primary.ended && primary.attempt === undefined;
    for (const copy of copies) {
      if (unsent) this.#drop(copy, "primaryNotSent");
      else copy.exchange.whole((loss) => (loss === undefined ? this.#start(copy) : this.#drop(copy, loss)));
    }
  }

  /** Called by the copy itself, once. */
  ended(copy: MirrorCall): void {
    this.#running.delete(copy);
    copy.tally.stats.record(copy);
    copy.tally.heldBytes -= copy.bytes;
    const record = new CallRecord(copy).fill(this.#engine);
    this.recorder.add(record);
    copy.forget();
    try {
      record.span?.end(record);
    } catch (error) {
      throwLater(this.#engine.clock, error);
    }
    record.release();
  }

  read(): readonly MirrorReading[] {
    return [...this.#tallies.values()].map((tally) => tally.read());
  }

  /** Copies under way are given up. */
  close(): void {
    this.#closed = true;
    for (const copy of this.#running) copy.abort(new MeshError("DRAINING", "the mesh was closed"));
  }

  #copy(primary: Call, target: MirrorTarget): MirrorCall | undefined {
    const { destination } = target.policy;
    if (destination.forRequest !== undefined)
      return this.#copyToNamed(primary, target, destination.forRequest(primary));
    const { tally } = target;
    const { clusters } = this.#engine;
    const cluster = clusters.get(primary.snapshot!, tally.cluster); // pinned by the engine before any stage runs
    if (cluster === undefined) {
      this.#noticeOnce(target, "does not exist: no such service, port or subset");
      return tally.skip("unknownCluster");
    }
    const { tls } = cluster.config.policy;
    if (tls.refusal !== "") {
      this.#noticeOnce(target, `asks for TLS ${tls.refusal}`);
      return tally.skip("tlsUnavailable");
    }
    if (tally.stats.inFlight >= MOST_IN_FLIGHT) return tally.skip("overloaded");
    const exchange = primary.exchange.mirror?.();
    if (exchange === undefined) return tally.skip("notCopyable");
    const { bytes } = exchange;
    if (tally.heldBytes > 0 && tally.heldBytes + bytes > MOST_HELD_BYTES) return tally.skip("overloaded");
    tally.stats.inFlight += 1;
    tally.heldBytes += bytes;
    return new MirrorCall(primary, exchange, target, cluster, this.#options.address());
  }

  /** Counted for the cluster, if there is one: a name alone, which any caller may write, makes no counters. */
  #copyToNamed(primary: Call, target: MirrorTarget, destination: Destination): MirrorCall | undefined {
    if (destination.forRequest !== undefined) return undefined; // the request names none
    const known = primary.snapshot?.cluster(destination.cluster) !== undefined;
    const policy = { ...target.policy, destination };
    return this.#copy(primary, { ...target, policy, tally: known ? this.#tally(policy) : target.tally });
  }

  #start(copy: MirrorCall): void {
    const { clock, wheel } = this.#engine;
    if (this.#closed) return this.#drop(copy, "bodyIncomplete");
    const now = clock.now();
    copy.startedAt = now;
    copy.readyAt = now;
    copy.deadlineAt = now + copy.route!.timeoutMs; // given when it was made
    wheel.add(copy, copy.deadlineAt);
    this.#running.add(copy);
    this.#engine.trace(copy);
    try {
      copy.stack!.run(copy); // given when it was made
    } catch (error) {
      copy.fail(error); // the call it was made of has nothing to do with it
    }
  }

  /** One that was prepared is not sent after all. */
  #drop(copy: MirrorCall, reason: MirrorSkip): void {
    copy.ended = true;
    copy.tally.stats.inFlight -= 1;
    copy.tally.heldBytes -= copy.bytes;
    copy.tally.skip(reason);
    copy.forget();
  }

  #tally({ destination: { cluster } }: MirrorPolicy): MirrorTally {
    const known = this.#tallies.get(cluster);
    if (known !== undefined) return known;
    const made = new MirrorTally(cluster);
    this.#tallies.set(cluster, made);
    return made;
  }

  #noticeOnce({ policy: { field }, route, tally }: MirrorTarget, fact: string): void {
    if (this.#noticed.has(tally.cluster)) return;
    this.#noticed.add(tally.cluster);
    const { name, resource } = route;
    const rule = resource === null ? `rule "${name}"` : `rule "${name}" of ${resource.namespace}/${resource.name}`;
    this.#options.notice(
      `${field} of ${rule} mirrors to "${tally.cluster}", which ${fact}. No copy is sent; the requests themselves are. See: inmesh analyze`,
    );
  }
}
