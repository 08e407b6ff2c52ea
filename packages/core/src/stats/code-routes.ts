/**
 * Which route of the application's code causes which calls: what only a mesh inside the process can know. Counted at the end of
 * each call; names come from the application's router, and their number is bounded whatever it says.
 */

import { isServerFault } from "../call/grpc-status.js";
import type { OutcomeRecord, OutcomeSink } from "../telemetry/outcome-record.js";

export interface CodeRouteReading {
  /** `/books/:id`, as the router of the application has it; empty: on nobody's behalf, or of a router that does not tell; `…`: of those above the bound. */
  readonly inbound: string;
  /** Host that was called. */
  readonly host: string;
  readonly calls: number;
  /** Ended with a status of 500 or more, without one, or with one of gRPC that means as much. */
  readonly failures: number;
  readonly sumMs: number;
}

interface Tally {
  calls: number;
  failures: number;
  sumMs: number;
}

/** Routes told apart, and hosts of each. */
const MOST_ROUTES = 256;
const MOST_HOSTS = 64;
const REST = "…";

export class CodeRoutes implements OutcomeSink {
  readonly #routes = new Map<string, Map<string, Tally>>();

  ended({ direction, cluster, httpRoute, status, grpcStatus, startedAt, endedAt }: OutcomeRecord): void {
    if (direction !== "outbound" || cluster === undefined) return;
    const tally = find(
      find(this.#routes, httpRoute, MOST_ROUTES, () => new Map<string, Tally>()),
      cluster.config.host,
      MOST_HOSTS,
      noCalls,
    );
    tally.calls += 1;
    if (status === 0 || status >= 500 || isServerFault(grpcStatus)) tally.failures += 1;
    tally.sumMs += endedAt - startedAt;
  }

  read(): readonly CodeRouteReading[] {
    return [...this.#routes].flatMap(([inbound, hosts]) =>
      [...hosts].map(([host, tally]) => ({ inbound, host, ...tally })),
    );
  }
}

function find<Value>(values: Map<string, Value>, key: string, most: number, make: () => Value): Value {
  const name = values.has(key) || values.size < most ? key : REST;
  let value = values.get(name);
  if (value === undefined) {
    value = make();
    values.set(name, value);
  }
  return value;
}

function noCalls(): Tally {
  return { calls: 0, failures: 0, sumMs: 0 };
}
