/** Spans and trace contexts, as the engine sees them. `@inmesh/telemetry/tracing` implements them; without it headers are passed on. */

import type { Call } from "../call/call.js";
import type { InboundContext } from "../call/context.js";
import type { OutcomeRecord } from "./outcome-record.js";

/** One of ours, recorded or not. */
export interface TraceSpan {
  /** 32 and 16 hexadecimal digits. */
  readonly traceId: string;
  readonly spanId: string;
  readonly sampled: boolean;
  /** Trace headers to be sent, flat `[name, value, …]`: they stand in place of all values of these names. */
  readonly headers: readonly string[];
  /** False: policy wants nothing of a trace on what goes out, of the inbound request's neither. */
  readonly propagates: boolean;
  /** Runs work of the application in its context. */
  run<Result>(work: () => Result): Result;
  /** Once, with what became of it. */
  end(record: OutcomeRecord): void;
}

export interface InboundHead {
  readonly method: string;
  /** With query. */
  readonly target: string;
  /** First value, by lower-case name. */
  header(name: string): string | undefined;
  /** Address of the peer; empty. */
  readonly remoteAddress: string;
  /** Another instrumentation makes a span of it below us, which has not run yet. Absent: nobody knows. */
  readonly tracedBelow?: boolean;
}

export interface Tracing {
  /** A call begins, in its caller's context. Undefined: its headers stay as they are, and nothing is recorded. */
  startCall(call: Call): TraceSpan | undefined;
  /** A request came in. Undefined: likewise. */
  startRequest(request: InboundContext, head: InboundHead): TraceSpan | undefined;
  /** Runs what writes requests and makes connections, so that other instrumentation of the process stays silent about it. */
  quietly<Result>(work: () => Result): Result;
}
