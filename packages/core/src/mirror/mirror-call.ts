/**
 * The copy of a request: a call of its own, which ends with the head of its answer. The transport drains the rest within
 * its bounds, as that of any answer which nobody gets.
 */

import type { MirrorPolicy, Route } from "@inmesh/model";
import type { Attempt, HeaderReader, Outcome } from "../call/attempt.js";
import { Call } from "../call/call.js";
import type { MirrorExchange } from "../call/exchange.js";
import type { ClusterRuntime } from "../cluster/cluster-runtime.js";
import type { Stack } from "../stack/stack.js";
import type { TraceSpan } from "../telemetry/tracing.js";
import { mirrorHeaders, shadowAuthority } from "./mirror-headers.js";
import type { MirrorTally } from "./mirror-tally.js";

/** One mirror of a route, ready to be used. */
export interface MirrorTarget {
  readonly policy: MirrorPolicy;
  readonly tally: MirrorTally;
  /** The rule's, without what does not hold for copies. */
  readonly route: Route;
  /** Picks and sends, nothing else: no retries, no faults. */
  readonly stack: Stack;
}

export class MirrorCall extends Call {
  declare exchange: MirrorExchange;
  readonly tally: MirrorTally;
  /** Of the body, kept alive by this copy. */
  readonly bytes: number;
  /** Of the call that it was made of: linked, and no parent. */
  readonly primarySpan: TraceSpan | undefined;

  /**
   * @param primary as it is about to be sent
   * @param address of this process, as others see it
   */
  constructor(
    primary: Call,
    exchange: MirrorExchange,
    { policy: { destination }, tally, route, stack }: MirrorTarget,
    cluster: ClusterRuntime,
    address: string,
  ) {
    const { method, scheme, authority, path, headers } = primary;
    const { host, port } = destination;
    super(exchange, method, scheme, host, port, shadowAuthority(authority), path, mirrorHeaders(headers, address));
    this.tally = tally;
    this.bytes = exchange.bytes;
    this.primarySpan = primary.span;
    this.engine = primary.engine;
    this.context = primary.context;
    this.snapshot = primary.snapshot;
    this.route = route;
    this.stack = stack;
    this.destination = destination;
    this.cluster = cluster;
  }

  override get isCopy(): boolean {
    return true;
  }

  /** Nobody waits for the body. */
  override attemptAnswered(attempt: Attempt, header: HeaderReader): boolean {
    super.attemptAnswered(attempt, header);
    this.attemptCompleted(attempt);
    return false;
  }

  protected override release(attempt: Attempt, outcome: Outcome, now: number): void {
    this.cluster!.releaseMirror(attempt, outcome, now); // an attempt exists, so its cluster does
  }

  protected override over(): void {
    this.engine.mirrors.ended(this);
  }
}
