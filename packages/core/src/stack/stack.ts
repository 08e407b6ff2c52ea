/**
 * The way of a call, as an ordered list of stages. A stage is made once per route; one that its policy does not need
 * makes nothing and costs nothing. What a stage wants to see on the way back it registers as a hook of the stack.
 */

import type { Route } from "@inmesh/model";
import type { Attempt, HeaderReader, Outcome } from "../call/attempt.js";
import type { Call } from "../call/call.js";
import type { MeshError } from "../errors.js";
import type { Engine } from "./engine.js";

/** Sends a call one step further down. Returns at once; the answer arrives at the call. */
export type Next = (call: Call) => void;

export type AttemptNext = (attempt: Attempt) => void;

/** Decides whether a failed attempt is followed by another. At most one stage of a stack brings it. */
export interface RetryDriver {
  /** Whether this answer is one that policy wants retried, whatever else may stand in the way. */
  dislikes(call: Call, attempt: Attempt, header: HeaderReader): boolean;
  /** An answer's head arrived. True: the caller does not get it, `again` follows. */
  wantsAnswer(call: Call, attempt: Attempt, header: HeaderReader): boolean;
  /** The attempt ended without an answer. True: `again` follows. */
  wantsFailure(call: Call, attempt: Attempt, failure: MeshError): boolean;
  again(call: Call, attempt: Attempt, failure: MeshError | undefined): void;
}

/** What a stage adds to one route's stack. */
export interface Filter {
  /** Wraps the rest of the way down, once per request. */
  readonly call?: (next: Next) => Next;
  /** Wraps the way down of each attempt, below the retry stage. */
  readonly attempt?: (next: AttemptNext) => AttemptNext;
  readonly retry?: RetryDriver;
  /** Each attempt, once, when it is over. */
  readonly attemptEnded?: (attempt: Attempt, outcome: Outcome) => void;
  /** Each call, once, when it is over. */
  readonly callEnded?: (call: Call) => void;
  /** Parameters in words, for the admin endpoint: `3 attempts on 5xx,reset`. */
  readonly parameters?: string;
}

export interface Stage {
  /** Name in the list, docs/reference/lifecycle.md. */
  readonly role: string;
  /** What it does, in one line. */
  readonly describe: string;
  /** @returns undefined when the route's policy needs nothing of it */
  make(route: Route, engine: Engine): Filter | undefined;
}

export interface StageView {
  readonly role: string;
  readonly describe: string;
  readonly parameters: string;
}

/** The compiled way of one route. */
export interface Stack {
  readonly run: Next;
  /** Starts attempt `number` of a call: what the retry stage and the first pass both end in. */
  readonly attempt: (call: Call, number: number) => void;
  readonly retry: RetryDriver | undefined;
  readonly attemptEnded: readonly ((attempt: Attempt, outcome: Outcome) => void)[] | undefined;
  readonly callEnded: readonly ((call: Call) => void)[] | undefined;
  /** Passed once per call. */
  readonly stages: readonly StageView[];
  /** Passed by each attempt, below `pick`. */
  readonly attemptStages: readonly StageView[];
}

/**
 * @param begin starts an attempt: picks an endpoint and hands the attempt to what the stages made of `send`
 * @param send puts an attempt on the wire
 */
export function compileStack(
  stages: readonly Stage[],
  route: Route,
  engine: Engine,
  begin: (call: Call, number: number, next: AttemptNext) => void,
  send: AttemptNext,
): Stack {
  const made: { stage: Stage; filter: Filter }[] = [];
  for (const stage of stages) {
    const filter = stage.make(route, engine);
    if (filter !== undefined) made.push({ stage, filter });
  }
  const downAttempt = made.reduceRight((next, { filter }) => filter.attempt?.(next) ?? next, send);
  const attempt = (call: Call, number: number): void => begin(call, number, downAttempt);
  const run = made.reduceRight<Next>(
    (next, { filter }) => filter.call?.(next) ?? next,
    (call) => attempt(call, 1),
  );
  const attemptEnded = made.flatMap(({ filter }) => filter.attemptEnded ?? []);
  const callEnded = made.flatMap(({ filter }) => filter.callEnded ?? []);
  return {
    run,
    attempt,
    retry: made.find(({ filter }) => filter.retry !== undefined)?.filter.retry,
    attemptEnded: attemptEnded.length > 0 ? attemptEnded : undefined,
    callEnded: callEnded.length > 0 ? callEnded : undefined,
    stages: made.filter(({ filter }) => filter.attempt === undefined).map(view),
    attemptStages: made.filter(({ filter }) => filter.attempt !== undefined).map(view),
  };
}

function view({ stage, filter }: { stage: Stage; filter: Filter }): StageView {
  return { role: stage.role, describe: stage.describe, parameters: filter.parameters ?? "" };
}
