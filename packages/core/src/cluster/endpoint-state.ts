/** What this process has learned about one endpoint of a cluster. Survives every snapshot in which the address stays. */

import type { Endpoint } from "@inmesh/model";

export class EndpointState {
  /** Replaced when labels or weight change; the address never does. */
  endpoint: Endpoint;
  /** Attempts sent and not yet settled, bodies included. */
  inFlight = 0;
  /** Attempts settled since the state exists. */
  attempts = 0;
  failures = 0;
  /** Peak-sensitive average latency in ms; -1 before the first sample. */
  latencyMs = -1;
  latencyAt = 0;
  /** Clock ms until which no call is sent here because connections were refused; 0 when in use. */
  ejectedUntil = 0;
  /** Clock ms since when. */
  ejectedAt = 0;
  /** Refusals in a row: the wait grows with them. */
  refusals = 0;
  /** Gone from the registry: running attempts finish, nothing new starts. */
  removed = false;
  /** What the HTTP transport keeps for this endpoint (its pool). Only that transport touches it. */
  http: unknown = undefined;

  constructor(endpoint: Endpoint) {
    this.endpoint = endpoint;
  }
}
