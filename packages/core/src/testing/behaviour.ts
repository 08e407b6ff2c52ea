/** What a scripted endpoint does with one attempt. */

import type { Attempt } from "../call/attempt.js";
import type { Random } from "../runtime/random.js";

export type Behaviour =
  /** Takes no connection. */
  | { readonly kind: "refuse"; readonly afterMs: number; readonly code: string }
  /** Closes the connection after the request was written and before it answers. */
  | { readonly kind: "reset"; readonly afterMs: number; readonly reused: boolean }
  /** Answers; the body ends `bodyMs` after the head, or breaks off then. */
  | {
      readonly kind: "answer";
      readonly status: number;
      readonly afterMs: number;
      readonly headers: Readonly<Record<string, string>>;
      readonly bodyMs: number;
      readonly cut: boolean;
    }
  /** Takes the request and never answers. */
  | { readonly kind: "silent" }
  /** Never has a connection free: the attempt stays queued. */
  | { readonly kind: "queue" };

/** Chooses a behaviour for each attempt. */
export type Script = (attempt: Attempt, random: Random) => Behaviour;

export interface AnswerOptions {
  /** Until the head, in ms. @default 1 */
  readonly afterMs?: number;
  /** From the head to the body's end, in ms. @default 0 */
  readonly bodyMs?: number;
  readonly headers?: Readonly<Record<string, string>>;
}

export function answers(status = 200, { afterMs = 1, bodyMs = 0, headers = {} }: AnswerOptions = {}): Behaviour {
  return { kind: "answer", status, afterMs, bodyMs, headers, cut: false };
}

/** The head arrives, the body breaks off. */
export function cuts(status = 200, { afterMs = 1, bodyMs = 1, headers = {} }: AnswerOptions = {}): Behaviour {
  return { kind: "answer", status, afterMs, bodyMs, headers, cut: true };
}

export function refuses(code = "ECONNREFUSED", afterMs = 0): Behaviour {
  return { kind: "refuse", afterMs, code };
}

export function resets(afterMs = 1): Behaviour {
  return { kind: "reset", afterMs, reused: false };
}

/** A kept-alive connection that the peer had closed meanwhile. */
export function stale(): Behaviour {
  return { kind: "reset", afterMs: 0, reused: true };
}

export function silent(): Behaviour {
  return { kind: "silent" };
}

export function queues(): Behaviour {
  return { kind: "queue" };
}

/** One after the other; the last one stays. */
export function inTurn(first: Behaviour, ...others: readonly Behaviour[]): Script {
  const left = [first, ...others];
  return () => (left.length > 1 ? left.shift()! : left[0]!); // never empty
}

/** `bad` for this share of the attempts, 0–1. */
export function flaky(ratio: number, bad: Behaviour, good: Behaviour = answers()): Script {
  return (_, random) => (random.next() < ratio ? bad : good);
}
