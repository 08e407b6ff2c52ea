/**
 * What became of one call, or of one request that was served: the one record that metrics, access log, span, tap, flight recorder
 * and the admin endpoint are made of, so that they cannot disagree (docs/design/2026-11-28-telemetry.md).
 *
 * Records are reused: whoever is told of one reads it within that turn and keeps no reference to it.
 */

import type { PeerIdentity, Route } from "@inmesh/model";
import type { Call, NoRetryReason } from "../call/call.js";
import type { ClusterRuntime } from "../cluster/cluster-runtime.js";
import type { EndpointState } from "../cluster/endpoint-state.js";
import type { MeshErrorCode } from "../errors.js";
import type { TraceSpan } from "./tracing.js";

/**
 * Where the time of a call or an attempt went, in ms, end to end without a gap: the parts sum to the duration. All of an
 * attempt's parts are on its way to the peer, so that `wait` and `body` are the peer's, and everything else is ours or the network's.
 */
export interface TimeLedger {
  /** In the mesh itself: routing, waiting for configuration, guard and gate. */
  readonly meshMs: number;
  /** Delay injected by policy. */
  readonly faultMs: number;
  /** For a connection, or a place on one. */
  readonly queueMs: number;
  readonly dnsMs: number;
  readonly connectMs: number;
  readonly tlsMs: number;
  /** From the request's first byte to the answer's head: network, and the peer. */
  readonly waitMs: number;
  /** From the answer's head to its last byte. */
  readonly bodyMs: number;
  /** Between two attempts. */
  readonly backoffMs: number;
  /** Of all of that, how long this process's event loop stood still: not part of the sum. */
  readonly stallMs: number;
}

export interface AttemptRecord {
  readonly number: number;
  readonly endpoint: EndpointState;
  /** Clock ms. */
  readonly startedAt: number;
  /** Clock ms at which its first byte was about to be written, and of the answer's head; 0 for never. */
  readonly sentAt: number;
  readonly headAt: number;
  readonly endedAt: number;
  readonly status: number;
  /** Of an answer of gRPC; -1 for none. */
  readonly grpcStatus: number;
  /** Of its failure; empty after an answer. */
  readonly code: MeshErrorCode | "";
  /** `answered 200`, `answered UNAVAILABLE`, `refused`, `reset`, `timed out`, `cancelled`. */
  readonly outcome: string;
  readonly reused: boolean;
  readonly ledger: TimeLedger;
}

export interface OutcomeRecord {
  readonly direction: "outbound" | "inbound";
  /** Unix ms at its start. */
  readonly wallMs: number;
  /** Clock ms; `readyAt` when it went on to its first attempt, or to the application. */
  readonly startedAt: number;
  readonly readyAt: number;
  /** Of the answer's head; 0 where there was none. */
  readonly headAt: number;
  readonly endedAt: number;
  readonly method: string;
  /** Without query. */
  readonly path: string;
  /** What follows `?`; empty. Into no log unless policy asks. */
  readonly query: string;
  readonly authority: string;
  readonly scheme: string;
  /** `HTTP/1.1`, `HTTP/2`; of the connection it came in by, or went out by; empty before there was one. */
  readonly protocol: string;
  /** What the caller got; 0 for none. */
  readonly status: number;
  /** -1 where it is no gRPC. */
  readonly grpcStatus: number;
  /** Bits of response-flags.ts. */
  readonly flags: number;
  /** Envoy's response_code_details. */
  readonly details: string;
  readonly code: MeshErrorCode | "";
  /** Of the error; empty. */
  readonly message: string;
  /** Messages of gRPC that went to the peer, and that came from it, as seen from the caller; 0 where it is no gRPC. */
  readonly requestMessages: number;
  readonly responseMessages: number;
  /** Bytes of bodies, as on the wire. */
  readonly requestBytes: number;
  readonly responseBytes: number;
  /** `x-request-id`; empty. */
  readonly requestId: string;
  /** Of its trace, with or without a span of ours; empty. */
  readonly traceId: string;
  readonly spanId: string;
  readonly sampled: boolean;
  readonly span: TraceSpan | undefined;
  readonly attempts: readonly AttemptRecord[];
  /** May be more than are kept. */
  readonly attemptCount: number;
  readonly ledger: TimeLedger;
  /** As the ledger has them, which takes longer to ask. */
  readonly meshMs: number;
  readonly stallMs: number;
  /** Injected delay, in ms. */
  readonly faultMs: number;
  readonly noRetry: NoRetryReason | "";
  /** Who answered, or who called, as its certificate says. */
  readonly peer: PeerIdentity | undefined;
  /** What the caller says of itself over mTLS, as it wrote it; empty. Only as good as whoever reads it against `peer`. */
  readonly peerWorkload: string;
  readonly mtls: boolean;
  /** `address:port`; empty where unknown. */
  readonly localAddress: string;
  readonly remoteAddress: string;
  /** Pattern of the application's router that served it; outbound: of the request on whose behalf. Empty where unknown. */
  readonly httpRoute: string;
  /** Version of the snapshot that decided. */
  readonly snapshot: number;
  /** `ns/name` of the AuthorizationPolicy that decided; empty. */
  readonly policy: string;

  // Outbound only. `call` is there while sinks are told, and let go of afterwards.
  readonly route: Route | undefined;
  readonly cluster: ClusterRuntime | undefined;
  /** The last one tried. */
  readonly endpoint: EndpointState | undefined;
  readonly call: Call | undefined;

  /** A record of its own with the same in it, for who cannot read it within the turn. */
  keep(): OutcomeRecord;
  /** First value of a header of the request, and of the answer, by lower-case name. Undefined where nobody kept it. */
  requestHeader(name: string): string | undefined;
  responseHeader(name: string): string | undefined;
}

/** Hears of each once, at its end, mirrored copies excepted. Must not throw, wait, or keep the record. */
export interface OutcomeSink {
  /** A call begins. Heard by few, and while somebody watches. */
  began?(call: Call): void;
  ended(record: OutcomeRecord): void;
}
