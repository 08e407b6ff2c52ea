/**
 * What an inbound request hands down to the calls made on its behalf. Entered once per inbound request by a server
 * adapter, read once per outbound call. The only AsyncLocalStorage of a mesh (pitfalls O4).
 */

import { AsyncLocalStorage } from "node:async_hooks";
import type { AccessRule, PeerIdentity } from "@inmesh/model";
import type { TraceSpan } from "../telemetry/tracing.js";
import type { Tries } from "./tries.js";

export class InboundContext {
  /** Clock ms by which the answer must be out; Infinity for none. */
  readonly deadlineAt: number;
  /** Headers an application would have to forward by hand: traceparent, tracestate, baggage, x-request-id, flat [name, value, …]. */
  readonly forward: readonly string[];
  /** Aborts when the inbound caller went away or the deadline passed; undefined until someone asks. */
  readonly signal: () => AbortSignal | undefined;
  /** What calls that failed have spent, for those who make them again; undefined until one has. */
  tries: Tries | undefined = undefined;
  /** Attempts that callers above have spent on what this request is for (ledger.ts). */
  readonly spentAbove: number;
  /** Calls made for it, and how often any of them was repeated, by the mesh or by the application. */
  calls = 0;
  repeats = 0;
  /** Who called, by the certificate of the connection; undefined: plaintext, or work of nobody's. */
  peer: PeerIdentity | undefined = undefined;
  /** Of the request, where it is traced. */
  span: TraceSpan | undefined = undefined;
  /** The rule of access that decided; null: no ALLOW rule matched, or no policy speaks. */
  rule: AccessRule | null = null;

  constructor(
    deadlineAt: number,
    forward: readonly string[],
    signal: () => AbortSignal | undefined = () => undefined,
    spentAbove = 0,
  ) {
    this.deadlineAt = deadlineAt;
    this.forward = forward;
    this.signal = signal;
    this.spentAbove = spentAbove;
  }

  /** Pattern of the application's router that serves it, as far as it is known by now; empty. */
  get httpRoute(): string {
    return "";
  }

  /** The application's router says who serves it. @param pattern as it was declared, `/users/:id`; undefined: nobody */
  noteRoute(_pattern: string | undefined): void {}

  /** A call made for it failed for good: an answer that says so is not to be tried again above (`tries.retried`). */
  retriedInVain(): void {}
}

export class Contexts {
  readonly #storage = new AsyncLocalStorage<InboundContext | undefined>();

  current(): InboundContext | undefined {
    return this.#storage.getStore();
  }

  run<Result>(context: InboundContext | undefined, work: () => Result): Result {
    return this.#storage.run(context, work);
  }

  /** Work whose calls belong together as those of an inbound request do: a failed one that is made again is known. */
  oneCall<Result>(work: () => Result): Result {
    if (this.current() !== undefined) return work();
    return this.#storage.run(new InboundContext(Number.POSITIVE_INFINITY, []), work);
  }

  /** Background work that must outlive the request: no deadline, no trace headers. */
  detach<Result>(work: () => Result): Result {
    return this.#storage.run(undefined, work);
  }
}
