/** Deadline and limits of a request that the guard let in: those of this process, then those that are counted elsewhere. */

import type { ServerHttp2Stream } from "node:http2";
import { Admitted, DEADLINE_PASSED, type Rejection } from "@inmesh/core";
import { withLimitItems } from "@inmesh/core/internal";
import type { InboundEngine, InboundRequest } from "../inbound-request.js";
import type { ServedHead } from "../served-head.js";
import type { InboundCounts } from "./inbound-counts.js";
import { onVerdict } from "./on-verdict.js";

const NONE: readonly never[] = [];

/** A request of either version of HTTP, before the application has it. */
export interface LimitedRequest<Result> {
  isAnswered(): boolean;
  refuse(rejection: Rejection): true;
  /** Flat lines for the application's answer. */
  add(headers: readonly string[]): void;
  /** Flat lines for the request, in lower case. */
  set(headers: readonly string[]): void;
  hand(): Result;
  /** See `Ways`. */
  readonly stream?: ServerHttp2Stream;
}

export class InboundLimits {
  readonly #engine: Pick<InboundEngine, "clock" | "gate">;
  readonly #counts: InboundCounts;

  constructor(engine: Pick<InboundEngine, "clock" | "gate">, counts: InboundCounts) {
    this.#engine = engine;
    this.#counts = counts;
  }

  /** Most requests concern nobody here, and finding that out must cost next to nothing. */
  concern({ deadlineAt, startedAt }: InboundRequest): boolean {
    return deadlineAt <= startedAt || this.#engine.gate?.active === true;
  }

  /** To the application, unless limits say otherwise. */
  pass<Result>(
    inbound: InboundRequest,
    head: ServedHead,
    source = "",
    { isAnswered, refuse, add, set, hand, stream }: LimitedRequest<Result>,
  ): Result | true {
    const rejection = this.#judge(inbound, head, source);
    if (rejection !== undefined) return refuse(rejection);
    const own = inbound.admitted?.answerHeaders();
    const { gate, clock } = this.#engine;
    const asked = gate?.askElsewhere?.(head, source);
    if (asked === undefined) {
      if (own !== undefined) add(own);
      return hand();
    }
    return onVerdict(asked, {
      refuse: (found) => (isAnswered() ? true : refuse(this.#turnedAway(inbound, found))),
      pass: (passed) => {
        inbound.admitted?.waited(clock.now());
        if (!isAnswered()) {
          const lines = [...(withLimitItems(own, passed?.items ?? NONE) ?? NONE), ...(passed?.answer ?? NONE)];
          if (lines.length > 0) add(lines);
        }
        if (passed !== undefined) set(passed.set);
        return hand();
      },
      gone: () => inbound.over,
      stream,
    });
  }

  /** The same before a connection leaves HTTP: they hold for its beginning, and for nothing that follows. */
  letLeave<Result>(
    head: ServedHead,
    source = "",
    refuse: (rejection: Rejection) => true,
    pass: () => Result,
    gone: () => boolean,
  ): Result | true {
    const rejection = this.#judgeLeaving(head, source);
    if (rejection !== undefined) return refuse(rejection);
    const asked = this.#engine.gate?.askElsewhere?.(head, source);
    if (asked === undefined) return pass();
    const refused = (found: Rejection): true => {
      this.#counts.refused += 1;
      return refuse(found);
    };
    return onVerdict(asked, { refuse: refused, pass, gone });
  }

  /** @returns why the application does not get it */
  #judge(inbound: InboundRequest, head: ServedHead, source: string): Rejection | undefined {
    const rejection = this.#rejection(inbound, head, source);
    if (rejection === undefined) return undefined;
    inbound.refuse(rejection);
    if (rejection === DEADLINE_PASSED) this.#counts.expired += 1;
    else this.#counts.refused += 1;
    return rejection;
  }

  #rejection(inbound: InboundRequest, head: ServedHead, source: string): Rejection | undefined {
    const { deadlineAt, startedAt } = inbound;
    if (deadlineAt <= startedAt) return DEADLINE_PASSED;
    const entered = this.#engine.gate?.enter(head, source, startedAt);
    if (entered === undefined || entered instanceof Admitted) {
      inbound.admitted = entered;
      if (entered !== undefined && entered.carried.length > 0) {
        inbound.forward = [...inbound.forward, ...entered.carried];
      }
      return undefined;
    }
    return entered;
  }

  /** By somebody who counts for others, too, after it was let in here. */
  #turnedAway(inbound: InboundRequest, rejection: Rejection): Rejection {
    inbound.admitted?.giveBack();
    inbound.refuse(rejection);
    this.#counts.refused += 1;
    return rejection;
  }

  #judgeLeaving(head: ServedHead, source: string): Rejection | undefined {
    const { gate, clock } = this.#engine;
    if (gate?.active !== true) return undefined;
    const now = clock.now();
    const entered = gate.enter(head, source, now);
    if (entered === undefined || entered instanceof Admitted) {
      entered?.end(0, now);
      return undefined;
    }
    this.#counts.refused += 1;
    return entered;
  }
}
