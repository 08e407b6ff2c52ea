/**
 * What became of calls and requests, one by one while it happens, for whoever watches: GET /tap. A watcher costs nothing while it
 * is not there, and as good as nothing when it is: what its filter or the cap leaves out is not even made.
 */

import type { Call } from "../call/call.js";
import type { Clock } from "../runtime/clock.js";
import type { AttemptRecord, OutcomeRecord, OutcomeSink, TimeLedger } from "../telemetry/outcome-record.js";
import { flagsText } from "../telemetry/response-flags.js";
import { type ServedUnderWay, type TapBegin, UnderWay } from "./tap-under-way.js";

/** An event `end` of GET /tap, sent when the call or request is over. No header, no body, no query. */
export interface TapEvent {
  readonly direction: "outbound" | "inbound";
  /** ISO 8601, of its start. */
  readonly at: string;
  readonly method: string;
  readonly authority: string;
  /** Without query. */
  readonly path: string;
  readonly protocol: string;
  readonly status: number;
  /** -1 where it is no gRPC. */
  readonly grpcStatus: number;
  /** Envoy's letters, comma-joined; `-`. */
  readonly flags: string;
  readonly details: string;
  /** MeshError code; empty. */
  readonly error: string;
  readonly message: string;
  readonly durationMs: number;
  readonly requestBytes: number;
  readonly responseBytes: number;
  readonly requestId: string;
  readonly traceId: string;
  /** SPIFFE id of who called (inbound) or who answered; empty. */
  readonly peer: string;
  readonly mtls: boolean;
  /** Host that was called, subset, and the endpoint tried last; empty for requests served. */
  readonly destination: string;
  readonly subset: string;
  readonly endpoint: string;
  readonly route: string;
  /** Of the application's router. */
  readonly httpRoute: string;
  readonly policy: string;
  readonly noRetry: string;
  readonly attempts: readonly TapAttempt[];
  readonly ledger: TimeLedger;
}

export interface TapAttempt {
  readonly number: number;
  readonly endpoint: string;
  readonly version: string;
  readonly outcome: string;
  readonly status: number;
  readonly durationMs: number;
}

export interface TapFilter {
  readonly direction?: TapEvent["direction"];
  /** Service called: `reviews`, `reviews.shop` or its whole host; requests served are then left out. */
  readonly service?: string;
  /** Begins with it. */
  readonly path?: string;
  readonly method?: string;
  /** `503`, `5xx`, or `error`: 500 and more, none, or an error of the mesh. */
  readonly status?: string;
}

/** Events per second for one watcher; what is beyond is counted. */
export const TAP_RATE = 100;
/** Characters of a path and of a message that are told. */
const MOST_CHARS = 512;
/** Attempts told. */
const MOST_ATTEMPTS = 16;
const SECOND_MS = 1_000;

export interface TapWatcher {
  /** It is not over, and has been going on for a while. */
  begin(event: TapBegin): void;
  event(event: TapEvent): void;
  /** So many were left out since the last time it was said, by the cap. */
  dropped(count: number): void;
}

/** @param status as of a filter @returns undefined where it is none */
export function statusTest(status: string): ((record: Pick<OutcomeRecord, "status" | "code">) => boolean) | undefined {
  if (status === "error") return ({ status: got, code }) => got >= 500 || got === 0 || code !== "";
  const [, hundreds] = /^([1-5])xx$/i.exec(status) ?? [];
  if (hundreds !== undefined) return ({ status: got }) => Math.floor(got / 100) === Number(hundreds);
  return /^[1-5]\d\d$/.test(status) ? ({ status: got }) => got === Number(status) : undefined;
}

/** What a filter looks at. */
type Tappable = Pick<OutcomeRecord, "direction" | "method" | "path" | "authority"> & {
  readonly host?: string;
  readonly cluster?: OutcomeRecord["cluster"];
};

export class Tap implements OutcomeSink {
  readonly #clock: Clock;
  readonly #filter: TapFilter;
  readonly #hasStatus: (record: OutcomeRecord) => boolean;
  readonly #watcher: TapWatcher;
  readonly #underWay = new UnderWay();
  #secondAt = Number.NEGATIVE_INFINITY;
  #told = 0;
  #dropped = 0;

  constructor(clock: Clock, filter: TapFilter, watcher: TapWatcher) {
    this.#clock = clock;
    this.#filter = filter;
    this.#hasStatus = (filter.status === undefined ? undefined : statusTest(filter.status)) ?? (() => true);
    this.#watcher = watcher;
  }

  began(call: Call): void {
    this.#underWay.began(call);
  }

  ended(record: OutcomeRecord): void {
    if (record.call !== undefined) this.#underWay.ended(record.call);
    if (this.#wants(record) && this.#hasStatus(record) && this.#mayTell(this.#clock.now()))
      this.#watcher.event(tapEvent(record));
  }

  /** Asked for every second. What has no status yet is not told of where the filter wants one. */
  tellUnderWay(served: Iterable<ServedUnderWay>): void {
    const now = this.#clock.now();
    for (const begin of this.#underWay.read(now, this.#clock.wallTime(), served)) {
      const wanted = this.#filter.status === undefined && this.#wants({ ...begin, host: begin.destination });
      if (wanted && this.#mayTell(now)) this.#watcher.begin(begin);
    }
  }

  #mayTell(now: number): boolean {
    if (now - this.#secondAt >= SECOND_MS) {
      this.#secondAt = now;
      this.#told = 0;
      this.tellDropped();
    }
    if (this.#told >= TAP_RATE) {
      this.#dropped += 1;
      return false;
    }
    this.#told += 1;
    return true;
  }

  /** Also when nothing follows. */
  tellDropped(): void {
    if (this.#dropped === 0) return;
    this.#watcher.dropped(this.#dropped);
    this.#dropped = 0;
  }

  #wants(record: Tappable): boolean {
    const { direction, service, path, method } = this.#filter;
    return (
      (direction === undefined || record.direction === direction) &&
      (method === undefined || record.method === method) &&
      (path === undefined || record.path.startsWith(path)) &&
      (service === undefined || isTo(record, service))
    );
  }
}

/** Told by the cluster, or by what the caller wrote where no cluster was found. */
function isTo({ host: known, cluster, authority, direction }: Tappable, service: string): boolean {
  if (direction !== "outbound") return false;
  const host = known || cluster?.config.host || authority.replace(/:\d+$/, "");
  return host === service || host.startsWith(`${service}.`);
}

export function tapEvent(record: OutcomeRecord): TapEvent {
  const { cluster, endpoint, route, peer, attempts } = record;
  return {
    direction: record.direction,
    at: new Date(record.wallMs).toISOString(),
    method: record.method,
    authority: record.authority.slice(0, MOST_CHARS),
    path: record.path.slice(0, MOST_CHARS),
    protocol: record.protocol,
    status: record.status,
    grpcStatus: record.grpcStatus,
    flags: flagsText(record.flags),
    details: record.details,
    error: record.code,
    message: record.message.slice(0, MOST_CHARS),
    durationMs: record.endedAt - record.startedAt,
    requestBytes: record.requestBytes,
    responseBytes: record.responseBytes,
    requestId: record.requestId,
    traceId: record.traceId,
    peer: peer?.id ?? "",
    mtls: record.mtls,
    destination: cluster?.config.host ?? "",
    subset: cluster?.config.subset ?? "",
    endpoint: endpoint?.endpoint.id ?? "",
    route: route?.name ?? "",
    httpRoute: record.httpRoute,
    policy: record.policy,
    noRetry: record.noRetry,
    attempts: attempts.slice(0, MOST_ATTEMPTS).map(tapAttempt),
    ledger: { ...record.ledger },
  };
}

function tapAttempt({
  number,
  endpoint: { endpoint },
  outcome,
  status,
  startedAt,
  endedAt,
}: AttemptRecord): TapAttempt {
  const version = endpoint.labels["version"] ?? "";
  return { number, endpoint: endpoint.id, version, outcome, status, durationMs: Math.max(0, endedAt - startedAt) };
}

/** `12:00:01.250 > GET reviews /api/x 503 UF 12.3ms 2 attempts (wait 10.0ms)`: one line, for people. */
export function tapText(event: TapEvent): string {
  const { direction, at, method, authority, path, status, grpcStatus, flags, error, durationMs, attempts } = event;
  const parts = [
    at.slice(11, 23),
    direction === "outbound" ? ">" : "<",
    method,
    `${direction === "outbound" ? authority : ""}${path}`,
    status === 0 ? "-" : `${status}`,
    ...(grpcStatus >= 0 ? [`grpc ${grpcStatus}`] : []),
    ...(flags === "-" ? [] : [flags]),
    ...(error === "" ? [] : [error]),
    `${durationMs.toFixed(1)}ms`,
    ...(attempts.length > 1 ? [`${attempts.length} attempts`] : []),
    ...(event.subset === "" ? [] : [event.subset]),
    ...(event.endpoint === "" ? [] : [event.endpoint]),
    ledgerText(event.ledger, durationMs),
  ];
  return parts.filter((part) => part !== "").join(" ");
}

/** `12:00:01.250 > GET reviews/api/x … 1000ms so far`. */
export function tapBeginText({ at, direction, method, authority, path, durationMs, endpoint }: TapBegin): string {
  const [arrow, host] = direction === "outbound" ? [">", authority] : ["<", ""];
  const so = `… ${durationMs.toFixed(0)}ms so far`;
  return [at.slice(11, 23), arrow, method, `${host}${path}`, so, endpoint].filter((part) => part !== "").join(" ");
}

const LEDGER_NAMES = {
  meshMs: "mesh",
  faultMs: "fault",
  queueMs: "queue",
  dnsMs: "dns",
  connectMs: "connect",
  tlsMs: "tls",
  waitMs: "wait",
  bodyMs: "body",
  backoffMs: "back-off",
} as const;

/** The parts that make up most of it, the largest first, and whether this process stood still meanwhile. */
function ledgerText(ledger: TimeLedger, durationMs: number): string {
  const parts = Object.entries(LEDGER_NAMES)
    .map(([field, name]) => ({ name, ms: ledger[field as keyof typeof LEDGER_NAMES] }))
    .filter(({ ms }) => ms >= Math.max(1, durationMs * 0.1))
    .sort((a, b) => b.ms - a.ms)
    .slice(0, 3)
    .map(({ name, ms }) => `${name} ${ms.toFixed(1)}ms`);
  if (ledger.stallMs >= 1) parts.push(`this process stood still ${ledger.stallMs.toFixed(1)}ms`);
  return parts.length === 0 ? "" : `(${parts.join(", ")})`;
}
