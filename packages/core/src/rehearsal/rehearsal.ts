/**
 * Mode `observe`: policy is rehearsed beside the calls, and none of it is carried out. Calls that the mesh carries (a
 * MeshMode says observe) report through the stage `rehearse`; those it leaves alone (the process was started to
 * observe) through `watch`, which adapters that only listen call. docs/design/2026-11-27-modes.md.
 */

import { clusterName, type Route, type Snapshot } from "@inmesh/model";
import type { HeaderReader } from "../call/attempt.js";
import { Call } from "../call/call.js";
import { errorCode } from "../call/classify.js";
import type { Exchange } from "../call/exchange.js";
import { MeshError, type MeshErrorCode } from "../errors.js";
import { compileRetryConditions, type RetryConditions } from "../filter/retry-conditions.js";
import type { Engine } from "../stack/engine.js";
import { type Intent, intend } from "./intent.js";
import type { Would } from "./would.js";
import { type WouldReading, WouldStats } from "./would-stats.js";

/** A request that the mesh does not touch. */
export interface WatchedRequest {
  readonly method: string;
  /** With query. */
  readonly path: string;
  readonly authority: string;
  readonly scheme: string;
  /** Lower-case, without port and without the brackets of an IPv6 address. */
  readonly host: string;
  readonly port: number;
  /** On this machine: nobody refuses it for being unknown. */
  readonly loopback: boolean;
  /** Flat `[name, value, …]`, without `host`. */
  readonly headers: readonly string[];
}

/** What an adapter tells of it; each at most once, `ended` last. */
export interface Watch {
  answered(status: number, header: HeaderReader): void;
  /** @param error undefined when the answer is complete */
  ended(error?: unknown): void;
}

/** Between an intent and its end. */
interface Observation {
  readonly intent: Intent;
  retried: boolean;
}

export class Rehearsal {
  readonly #engine: Engine;
  readonly #excludes: (host: string, port: number) => boolean;
  readonly #stats = new WouldStats();
  readonly #open = new WeakMap<Call, Observation>();
  /** By call, for as long as the list of last requests keeps it. */
  readonly #would = new WeakMap<Call, Would>();
  /** Adapters' own objects for requests: several listeners may hear of the same one. */
  readonly #watched = new WeakSet<object>();
  readonly #conditions = new WeakMap<Route, RetryConditions>();

  /** @param excludes hosts that are none of the mesh's business */
  constructor(engine: Engine, excludes: (host: string, port: number) => boolean) {
    this.#engine = engine;
    this.#excludes = excludes;
  }

  read(): readonly WouldReading[] {
    return this.#stats.read();
  }

  wouldOf(call: Call): Would | undefined {
    return this.#would.get(call);
  }

  // ---- calls that the mesh carries ----

  begin(call: Call): void {
    const policy = policyOf(call.snapshot);
    const { contexts, random } = this.#engine;
    const intent = policy && intend(policy, call, contexts.current(), random);
    if (intent !== undefined) this.#open.set(call, { intent, retried: false });
    else if (this.#engine.onlyObserves) this.#wantRules(call, policy); // nobody else will
  }

  /** An answer's head came, also one that a plain retry throws away. */
  answered(call: Call, status: number, header: HeaderReader): void {
    const open = this.#open.get(call);
    if (open === undefined || open.retried || !this.#mayRetry(open.intent, call)) return;
    const conditions = this.#conditionsOf(open.intent.route!); // a call that may be retried has a route
    open.retried = conditions.answer(call, status, header) || this.#perTryPassed(open.intent, call);
  }

  /** @param code what the last attempt ended with, when it had no answer */
  end(call: Call, code = failureOf(call)): void {
    const open = this.#open.get(call);
    if (open === undefined) return;
    this.#open.delete(call);
    const { intent } = open;
    if (code !== undefined && !open.retried && this.#mayRetry(intent, call)) {
      open.retried = this.#conditionsOf(intent.route!).failure(code) || this.#perTryPassed(intent, call);
    }
    const timeoutMs = intent.outcome === "sent" ? (intent.route?.timeoutMs ?? 0) : 0;
    const timedOut = timeoutMs > 0 && call.endedAt - call.startedAt > timeoutMs;
    this.#record(call, { intent, retried: open.retried, timedOut });
  }

  // ---- requests that go out as without us ----

  /** A request for which policy has something to say that no call will: see `passed`. */
  covers(host: string, port: number): boolean {
    const policy = policyOf(this.#engine.store.current, "observe");
    if (policy === undefined) return false;
    const { routes, mesh } = policy;
    return (
      routes.lookup(host, port) !== undefined || (mesh.outboundPolicy !== "ALLOW_ANY" && !routes.isOpaque(host, port))
    );
  }

  /** Such a request is passed on; what becomes of it is not seen. */
  passed(request: WatchedRequest): void {
    const call = this.#asCall(request);
    this.begin(call);
    call.endedAt = call.startedAt;
    const open = this.#open.get(call);
    if (open !== undefined) this.#stats.record(hostOf(open.intent, call), { ...open, timedOut: false });
  }

  /**
   * @param key the adapter's own object for it: each is watched once
   * @param startedAt clock ms. @default now
   * @returns undefined when policy has nothing to say of it
   */
  watch(request: WatchedRequest, key: object, startedAt = this.#engine.clock.now()): Watch | undefined {
    if (this.#watched.has(key) || this.#excludes(request.host, request.port)) return undefined;
    this.#watched.add(key);
    const call = this.#asCall(request);
    call.startedAt = startedAt;
    this.begin(call);
    const open = this.#open.get(call);
    if (open === undefined || (open.intent.outcome === "hostUnknown" && request.loopback)) return undefined;
    this.#enterCluster(call, open.intent);
    return {
      answered: (status, header) => {
        if (call.ended || call.status !== 0) return;
        call.status = status;
        this.answered(call, status, header);
      },
      ended: (error) => {
        if (call.ended) return;
        call.ended = true;
        call.endedAt = this.#engine.clock.now();
        call.error = error;
        if (isAbort(error)) call.noRetry = "aborted";
        this.end(call, error === undefined || isAbort(error) || call.status !== 0 ? undefined : failureCode(error));
        this.#engine.ended(call);
      },
    };
  }

  #asCall({ method, scheme, host, port, authority, path, headers }: WatchedRequest): Call {
    const { clock, store } = this.#engine;
    const call = new Call(NOBODY, method, scheme, host, port, authority, path, headers);
    call.engine = this.#engine;
    call.startedAt = clock.now();
    call.snapshot = store.current;
    return call;
  }

  /** It counts for the service that was called, wherever policy would have led it. */
  #enterCluster(call: Call, { virtualHost, destination }: Intent): void {
    const policy = policyOf(call.snapshot);
    if (policy === undefined || virtualHost === undefined) return;
    const { clusters } = this.#engine;
    const { service, port } = virtualHost;
    const whole = service && clusters.get(policy, clusterName(port, "", service.host));
    call.cluster = whole ?? (destination && clusters.get(policy, destination.cluster));
    if (call.cluster === undefined) return;
    call.cluster.stats.inFlight += 1;
    call.cluster.use(this.#engine.clock.now()); // what there is to choose from is a part of the rehearsal
  }

  #wantRules({ host, port }: Call, policy: Snapshot | undefined): void {
    const pending = policy?.routes.lookup(host, port)?.pending;
    if (pending !== undefined) this.#engine.want(pending);
  }

  #record(call: Call, would: Would): void {
    this.#would.set(call, would);
    this.#stats.record(hostOf(would.intent, call), would);
  }

  #mayRetry({ outcome, route }: Intent, call: Call): boolean {
    return outcome === "sent" && route !== undefined && route.retry.maxAttempts > 1 && call.idempotent;
  }

  #conditionsOf(route: Route): RetryConditions {
    let conditions = this.#conditions.get(route);
    if (conditions === undefined) {
      conditions = compileRetryConditions(route.retry);
      this.#conditions.set(route, conditions);
    }
    return conditions;
  }

  /** The first attempt would have been given up. */
  #perTryPassed({ route }: Intent, call: Call): boolean {
    const limitMs = route?.retry.perTryTimeoutMs ?? 0;
    const startedAt = call.attempt?.startedAt ?? call.startedAt;
    if (limitMs === 0 || route === undefined || this.#engine.clock.now() - startedAt <= limitMs) return false;
    return this.#conditionsOf(route).failure("PER_TRY_TIMEOUT");
  }
}

/** The snapshot to rehearse with; none while policy is off. @param mode ask for this mode only */
function policyOf(snapshot: Snapshot | undefined, mode?: Snapshot["mode"]): Snapshot | undefined {
  if (snapshot === undefined || snapshot.mode === "off" || (mode !== undefined && snapshot.mode !== mode))
    return undefined;
  return snapshot.mode === "on" ? snapshot : snapshot.withPolicy;
}

function hostOf({ virtualHost }: Intent, { host }: Call): string {
  return virtualHost?.service?.host ?? virtualHost?.name.replace(/:\d+$/, "") ?? host;
}

function failureOf({ error, answered }: Call): MeshErrorCode | undefined {
  return error instanceof MeshError && !answered ? error.code : undefined;
}

/** Nothing can have been sent. A name that only the mesh knows is not among them: with the mesh it is found. */
const UNCONNECTED = new Set(["ECONNREFUSED", "EHOSTUNREACH", "ENETUNREACH", "UND_ERR_CONNECT_TIMEOUT", "ETIMEDOUT"]);
const UNKNOWN_NAME = new Set(["ENOTFOUND", "EAI_AGAIN"]);

function failureCode(error: unknown): MeshErrorCode | undefined {
  const code = errorCode(error);
  if (UNKNOWN_NAME.has(code)) return undefined;
  return UNCONNECTED.has(code) ? "CONNECT_FAILED" : "UPSTREAM_RESET";
}

function isAbort(error: unknown): boolean {
  const { name } = (error ?? {}) as { name?: unknown };
  return name === "AbortError" || ["ABORT_ERR", "UND_ERR_ABORTED"].includes(errorCode(error));
}

/** Nobody waits for an answer of ours. */
const NOBODY: Exchange = { send() {}, canReplay: () => false, passThrough() {}, reply() {}, fail() {} };
