/** A place in a trace that nobody here records. */

import type { TraceSpan } from "@inmesh/core";
import { SAMPLED, type TraceContext } from "./trace-context.js";

export class PlainSpan implements TraceSpan {
  readonly context: TraceContext;
  readonly headers: readonly string[];

  constructor(context: TraceContext, headers: readonly string[]) {
    this.context = context;
    this.headers = headers;
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
