/** What this process has learned about one endpoint of a cluster. Survives every snapshot in which the address stays. */

import type { Endpoint } from "@inmesh/model";
import type { EndpointHealth } from "../health/endpoint-health.js";
import type { EndpointOutlier } from "../outlier/endpoint-outlier.js";

/** Connections that somebody keeps to an endpoint. */
export interface EndpointKeeper {
  /** Nothing new starts on them; what runs finishes. */
  retire(): void;
}

export class EndpointState {
  /** Replaced when labels or weight change; the address never does. */
  endpoint: Endpoint;
  /**
   * Clock ms since which it may be called: where it warms up, its time began then. Later than it was first seen, if it was
   * found healthy again only then.
   */
  since: number;
  /** Attempts sent and not yet settled, bodies included. */
  inFlight = 0;
  /** Attempts settled since the state exists. */
  attempts = 0;
  failures = 0;
  /** Peak-sensitive average latency in ms; -1 before the first sample. */
  latencyMs = -1;
  latencyAt = 0;
  /** Clock ms until which outlier detection leaves it out; 0 when it does not. */
  outlierUntil = 0;
  /** Undefined while it has not failed, or nobody judges. */
  outlier: EndpointOutlier | undefined = undefined;
  /** Its health checks say that it is not well. */
  unhealthy = false;
  /** Undefined where it is not checked. */
  health: EndpointHealth | undefined = undefined;
  /** Clock ms until which others are preferred because connections were refused; 0 when in use. */
  ejectedUntil = 0;
  /** Clock ms since when. */
  ejectedAt = 0;
  /** Refusals in a row: the wait grows with them. */
  refusals = 0;
  /** Gone from the registry: running attempts finish, nothing new starts. */
  removed = false;
  /** What the HTTP transport keeps for this endpoint (its pool). Only that transport touches it. */
  http: unknown = undefined;
  /** What the gRPC transport keeps for it, likewise. */
  grpc: EndpointKeeper | undefined = undefined;

  constructor(endpoint: Endpoint, since = 0) {
    this.endpoint = endpoint;
    this.since = since;
  }

  /** Neither ejected by outlier detection nor by its health checks: what policy has to say. */
  healthy(now: number): boolean {
    return this.outlierUntil <= now && !this.unhealthy;
  }

  /** Nor has it refused connections just now. */
  usable(now: number): boolean {
    return this.ejectedUntil <= now && this.healthy(now);
  }
}
