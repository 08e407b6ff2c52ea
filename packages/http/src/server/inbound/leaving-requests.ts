/** Requests after which their connection leaves HTTP: judged once, whichever of the application's events bring them, and told of. */

import { IncomingMessage } from "node:http";
import type { ServerHttp2Stream } from "node:http2";
import type { Socket } from "node:net";
import type { Arrival, InboundContext, Passage, Rejection } from "@inmesh/core";
import type { InboundEngine } from "../inbound-request.js";
import { InboundRecord } from "../record/inbound-record.js";
import { type EndedBy, type Leaving, type LeavingHooks, leavesBySocket, leavesByStream } from "../record/leaving.js";
import { RequestFacts } from "../record/request-facts.js";
import type { RequestHead } from "../request-head.js";
import type { ServedHead } from "../served-head.js";
import { StreamAnswer } from "../stream-answer.js";
import type { ServerSecurity } from "../tls/server-security.js";
import type { TurnedAway } from "../tls/turned-away.js";
import type { InboundCounts } from "./inbound-counts.js";
import type { InboundLimits } from "./inbound-limits.js";
import { onVerdict } from "./on-verdict.js";
import { runWithin } from "./run-within.js";

const SWITCHED = 101;

/** One, in the terms of the event that brought it. */
export interface LeavingRequest {
  /** Bytes that came behind its head. @default 0 */
  readonly received?: number;
  answer(refusal: Rejection | TurnedAway): true;
  /** Its connection is not turned away. */
  met?(): void;
  arrival(context: InboundContext): Arrival;
  edit(passage: Passage): void;
  /** What limits read of it. Absent: they held when it came. */
  limited?(): ServedHead;
  gone(): boolean;
}

export interface LeavingRequestsOptions {
  readonly engine: InboundEngine;
  readonly security: ServerSecurity | undefined;
  readonly limits: InboundLimits;
  readonly counts: InboundCounts;
  /** Of work that no deadline ends. */
  contextOf(head: RequestHead, socket: Socket | undefined): InboundContext;
}

export class LeavingRequests {
  readonly #options: LeavingRequestsOptions;
  readonly #record = new InboundRecord();
  readonly #hooks: LeavingHooks;
  /** A framework may bring one once more. */
  readonly #judged = new WeakMap<object, InboundContext>();

  constructor(options: LeavingRequestsOptions) {
    this.#options = options;
    this.#hooks = {
      now: () => options.engine.clock.now(),
      answered: (leaving) => this.#endSpan(leaving),
      ended: (leaving, by) => this.#tell(leaving, by),
    };
  }

  /** @returns true when the mesh answered instead of `work`, which hands it to the application, or will */
  take<Result>(
    head: RequestHead,
    carrier: IncomingMessage | ServerHttp2Stream,
    socket: Socket | undefined,
    work: () => Result,
    { received, answer, met, arrival, edit, limited, gone }: LeavingRequest,
  ): Result | true {
    const { engine, security, limits, counts } = this.#options;
    const judged = this.#judged.get(carrier);
    if (judged !== undefined) return runWithin(engine, judged, work);
    const { guard, clock } = engine;
    const turnedAway = security?.meetLeaving(socket, head);
    const { context, leaving } = this.#begin(head, carrier, socket, received);
    const refuse = (refusal: Rejection | TurnedAway): true => {
      leaving?.refused(refusal);
      return answer(refusal);
    };
    const deny = (refusal: Rejection | TurnedAway): true => {
      counts.denied += 1;
      return refuse(refusal);
    };
    if (turnedAway !== undefined) return deny(turnedAway);
    met?.();
    const handOver = (): Result => {
      if (leaving !== undefined) leaving.facts.servedAt = clock.now();
      return runWithin(engine, context, work);
    };
    return onVerdict(guard?.active === true ? guard.enter(arrival(context), clock.now()) : undefined, {
      refuse: deny,
      pass: (passage) => {
        if (passage !== undefined) edit(passage);
        if (limited === undefined) return handOver();
        return limits.letLeave(limited(), socket?.remoteAddress, refuse, handOver, gone);
      },
      gone,
    });
  }

  /** @returns what its calls are made for, and who tells of it; undefined: nobody listens */
  #begin(
    head: RequestHead,
    carrier: IncomingMessage | ServerHttp2Stream,
    socket: Socket | undefined,
    received = 0,
  ): { readonly context: InboundContext; readonly leaving: Leaving | undefined } {
    const { engine, contextOf } = this.#options;
    const { sinks, tracing, store, clock } = engine;
    const context = contextOf(head, socket);
    this.#judged.set(carrier, context);
    if (tracing === undefined && sinks?.any !== true) return { context, leaving: undefined };
    const version = store?.current?.version ?? 0;
    let leaving: Leaving;
    if (carrier instanceof IncomingMessage) {
      leaving = leavesBySocket(context, carrier, version, received, this.#hooks);
    } else {
      const facts = new RequestFacts(carrier, head, socket, clock.now(), version);
      leaving = leavesByStream(context, carrier, facts, new StreamAnswer(carrier), this.#hooks);
    }
    const { facts } = leaving;
    facts.takeIds(context.forward);
    if (tracing !== undefined) context.span = tracing.startRequest(context, facts);
    return { context, leaving };
  }

  /** With the answer: the connection may live for days. */
  #endSpan({ context, facts, answer }: Leaving): void {
    if (context.span === undefined) return;
    const { clock } = this.#options.engine;
    context.span.end(this.#record.fill(context, facts, answer, false, clock.now(), clock));
  }

  #tell(leaving: Leaving, by: EndedBy): void {
    const { clock, sinks } = this.#options.engine;
    const { context, facts, answer } = leaving;
    if (facts.headAt === 0) this.#endSpan(leaving);
    const { statusCode: status } = answer;
    // An answer that lets nobody leave is an answer like any other, and what comes after it is nobody's doing.
    const left = status === SWITCHED || status === 0 || (facts.method === "CONNECT" && status < 300);
    const tells = left && facts.refusal === undefined;
    const record = this.#record.fill(context, facts, answer, tells && by === "caller", clock.now(), clock);
    if (tells && by === "application") record.endedBelow();
    record.stallMs = 0; // of hours it would say nothing
    sinks?.ended(record);
  }
}
