/**
 * The one error class of a call, and the table of its codes. `docs/reference/errors.md` shows the same table; a test
 * compares the two.
 */

import type { TimeLedger } from "./telemetry/outcome-record.js";

export interface ErrorInfo {
  readonly meaning: string;
  /** HTTP status the caller of an HTTP adapter gets; 0 where no answer is made. */
  readonly status: number;
  /** gRPC status number. */
  readonly grpcStatus: number;
  /** Whether trying again elsewhere may help. The retry policy still decides. */
  readonly retryable: boolean;
  /** Envoy's response flag, `-` where it has none. */
  readonly flag: string;
  /** Envoy's response code details. */
  readonly details: string;
}

const info = (
  status: number,
  grpcStatus: number,
  retryable: boolean,
  flag: string,
  details: string,
  meaning: string,
): ErrorInfo => ({ meaning, status, grpcStatus, retryable, flag, details });

export const MESH_ERRORS = {
  CONFIG_INVALID: info(0, 3, false, "-", "-", "an option or argument given to inmesh is not valid"),
  CONFIG_UNAVAILABLE: info(
    503,
    14,
    true,
    "-",
    "config_unavailable",
    "no configuration arrived in time and none was kept from before",
  ),
  HOST_UNKNOWN: info(
    502,
    14,
    false,
    "-",
    "block_all",
    "the host is not in the registry and the outbound policy is REGISTRY_ONLY",
  ),
  ROUTE_NOT_FOUND: info(
    404,
    12,
    false,
    "NR",
    "route_not_found",
    "the host is known but none of its rules matches the request",
  ),
  CLUSTER_NOT_FOUND: info(
    503,
    14,
    false,
    "NC",
    "cluster_not_found",
    "the rule names a service, port or subset that does not exist, or that a Sidecar keeps from its callers",
  ),
  TLS_UNAVAILABLE: info(
    503,
    14,
    false,
    "UF",
    "tls_unavailable",
    "policy asks for TLS that cannot be had: a file that cannot be used, no identity of this process, or none that is valid; nothing was sent",
  ),
  NO_ENDPOINT: info(
    503,
    14,
    true,
    "UH",
    "no_healthy_upstream",
    "the service or subset has no endpoint, or none that is well",
  ),
  OVERFLOW: info(
    503,
    14,
    false,
    "UO",
    "upstream_reset_before_response_started{overflow}",
    "a limit of the cluster is reached: requests under way, requests that wait for a connection, or connections; nothing was sent",
  ),
  DROPPED: info(
    503,
    14,
    false,
    "DO",
    "drop_overload",
    "the control plane has a share of the cluster's requests dropped, and this is one of them; nothing was sent",
  ),
  BREAKER_OPEN: info(
    503,
    14,
    false,
    "UO",
    "circuit_breaker_open",
    "the circuit breaker is open: too many attempts failed or were slow; nothing was sent",
  ),
  CONNECT_FAILED: info(
    503,
    14,
    true,
    "UF",
    "upstream_reset_before_response_started{connection_failure}",
    "the endpoint could not be connected to; nothing was sent",
  ),
  WRONG_PEER: info(
    503,
    14,
    true,
    "UF",
    "wrong_peer",
    "the certificate of the endpoint is not one of those that may serve the service; nothing was sent",
  ),
  UPSTREAM_RESET: info(
    503,
    14,
    true,
    "UC",
    "upstream_reset_before_response_started{connection_termination}",
    "the connection ended after the request was sent and before an answer came",
  ),
  STREAM_REFUSED: info(
    503,
    14,
    true,
    "UR",
    "upstream_reset_before_response_started{remote_refused_stream_reset}",
    "the endpoint did nothing with the request and said so (HTTP/2: REFUSED_STREAM, or GOAWAY)",
  ),
  UPSTREAM_PROTOCOL: info(
    502,
    13,
    false,
    "UPE",
    "upstream_reset_before_response_started{protocol_error}",
    "the endpoint answered with something that is no valid HTTP",
  ),
  RESPONSE_TRUNCATED: info(
    0,
    14,
    false,
    "UR",
    "upstream_reset_after_response_started{connection_termination}",
    "the connection ended in the middle of the answer",
  ),
  TIMEOUT: info(
    504,
    4,
    false,
    "UT",
    "upstream_response_timeout",
    "the route's timeout passed before the answer was complete",
  ),
  PER_TRY_TIMEOUT: info(504, 4, true, "UT", "upstream_per_try_timeout", "one attempt took longer than perTryTimeout"),
  DEADLINE_EXCEEDED: info(
    504,
    4,
    false,
    "UT",
    "request_overall_timeout",
    "the deadline inherited from the inbound request passed",
  ),
  FAULT_ABORTED: info(
    503,
    14,
    false,
    "FI",
    "fault_filter_abort",
    "policy aborted the request on purpose (fault injection)",
  ),
  AGENT_UNSUPPORTED: info(
    0,
    12,
    false,
    "-",
    "agent_unsupported",
    "the rule asks for something that an http.Agent cannot do, which only routes",
  ),
  RATE_LIMITED: info(
    429,
    8,
    false,
    "RL",
    "local_rate_limited",
    "a RateLimit of the server allows no more requests of this kind for now; its application has not seen the request",
  ),
  RATE_LIMIT_UNAVAILABLE: info(
    500,
    2,
    false,
    "RLSE",
    "rate_limiter_error",
    "the rate limit service that a RateLimit of the server names did not answer, and failureModeDeny is set; its application has not seen the request",
  ),
  OVERLOADED: info(
    503,
    8,
    true,
    "OM",
    "overload",
    "the server has more to do than it can do well and turned the request away; its application has not seen it",
  ),
  ACCESS_DENIED: info(
    403,
    7,
    false,
    "-",
    "rbac_access_denied",
    "an AuthorizationPolicy of the server does not let this caller do this; its application has not seen the request",
  ),
  TOKEN_INVALID: info(
    401,
    16,
    false,
    "-",
    "jwt_authn_access_denied",
    "the request has a token that no RequestAuthentication of the server accepts; its application has not seen it",
  ),
  REQUEST_INVALID: info(
    400,
    3,
    false,
    "DPE",
    "path_normalization_failed",
    "the request's target or Host can be read in more than one way, and the server's rules go by them; its application has not seen it",
  ),
  DRAINING: info(503, 14, true, "LH", "draining", "this process is shutting down and takes no new work"),
} as const satisfies Record<string, ErrorInfo>;

export type MeshErrorCode = keyof typeof MESH_ERRORS;

/** Where it happened, as far as it is known. */
export interface ErrorPlace {
  readonly cluster?: string;
  readonly route?: string;
  readonly endpoint?: string;
  /** 1 for the first try. */
  readonly attempt?: number;
}

export interface MeshErrorOptions extends ErrorPlace {
  /** Where the time of its call went. */
  readonly ledger?: TimeLedger;
  readonly cause?: unknown;
  /** Who failed: this process, or the peer. @default "local" */
  readonly origin?: "local" | "remote";
  /** Overrides the table's status: an injected abort has its own. */
  readonly status?: number;
}

// Two copies of this package in one process recognise each other's errors.
const BRAND: unique symbol = Symbol.for("inmesh.MeshError");

export class MeshError extends Error {
  override readonly name = "MeshError";
  readonly code: MeshErrorCode;
  readonly origin: "local" | "remote";
  readonly status: number;
  readonly cluster: string | undefined;
  readonly route: string | undefined;
  readonly endpoint: string | undefined;
  readonly attempt: number | undefined;
  /** Where the time of the call went, in ms, until it failed; undefined where it is no failure of a call that was under way. */
  readonly ledger: TimeLedger | undefined;
  readonly [BRAND] = true;

  /** @param message lower case: what was found, what was expected, what to do. The code is appended. */
  constructor(code: MeshErrorCode, message: string, options: MeshErrorOptions = {}) {
    super(`${message} (${code})`, options.cause === undefined ? undefined : { cause: options.cause });
    this.code = code;
    this.origin = options.origin ?? "local";
    this.status = options.status ?? MESH_ERRORS[code].status;
    this.cluster = options.cluster;
    this.route = options.route;
    this.endpoint = options.endpoint;
    this.attempt = options.attempt;
    this.ledger = options.ledger;
  }

  get flag(): string {
    return MESH_ERRORS[this.code].flag;
  }

  get details(): string {
    return MESH_ERRORS[this.code].details;
  }

  get retryable(): boolean {
    return MESH_ERRORS[this.code].retryable;
  }

  static override [Symbol.hasInstance](value: unknown): boolean {
    return typeof value === "object" && value !== null && BRAND in value;
  }
}

/** What was thrown, in words: of whatever is no Error, its text. */
export function messageOf(thrown: unknown): string {
  return thrown instanceof Error ? thrown.message : String(thrown);
}
