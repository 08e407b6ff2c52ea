/** A place in a trace that nobody here records. */

import type { TraceSpan } from "@inmesh/core";
import { SAMPLED, type TraceContext } from "./trace-context.js";

export class PlainSpan implements TraceSpan {
  readonly context: TraceContext;
  readonly headers: readonly string[];
  readonly propagates: boolean;

  /** @param headers none where those of the request go on as they came */
  constructor(context: TraceContext, headers: readonly string[], propagates = true) {
    this.context = context;
    this.headers = propagates ? headers : [];
    this.propagates = propagates;
  }

  get traceId(): string {
    return this.context.traceId;
  }

  get spanId(): string {
    return this.context.spanId;
  }

  get sampled(): boolean {
    return (this.context.flags & SAMPLED) === SAMPLED;
  }

  run<Result>(work: () => Result): Result {
    return work();
  }

  end(): void {}
}
