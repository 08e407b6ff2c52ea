/** A way to go wrong, and what has to hold meanwhile. */

import type { Load } from "../messages.js";
import { RETRY_RATIO, retriesPerSecond } from "../policy.js";
import type { Stage } from "../stage.js";
import type { Tally } from "../tally.js";

export interface Form {
  readonly perSecond: number;
  readonly seconds: number;
  /** Times LIMITS: on a machine that does much else, what is slow is not yet dead. */
  readonly patience: number;
}

export interface Scenario {
  readonly name: string;
  readonly load: Omit<Load, "name">;
  /** Beside the load, from its first moment. */
  act?(stage: Stage): Promise<void>;
  /** The last backend is of no use afterwards. */
  readonly destroys?: boolean;
  /** @returns what does not hold */
  broken(tally: Tally): string[];
}

/** In every scenario 30 % are POSTs: a fifth of all plain, a tenth with an Idempotency-Key. */
export const MIX = { posts: 0.2, keyedPosts: 0.1 } as const;

/** A failure is told by a code of the mesh, or is the backend's own answer. */
const REASONS = /^([A-Z]+(_[A-Z]+)+|TIMEOUT|OVERFLOW|OVERLOADED|DRAINING|status 5\d\d)$/;

/** Whatever happens. */
export function alwaysBroken({ lies, postsExecutedTwice, reasons }: Tally): string[] {
  return [
    ...lies.slice(0, 3),
    ...(postsExecutedTwice > 0 ? [`${postsExecutedTwice} POSTs were carried out twice`] : []),
    ...[...reasons.keys()].filter((reason) => !REASONS.test(reason)).map((reason) => `failed with "${reason}"`),
  ];
}

/** Of all requests, with the reasons that callers were told. */
export function failed({ all: { sent, ok }, reasons }: Tally): string[] {
  if (ok === sent) return [];
  const told = [...reasons].map(([reason, count]) => `${count} ${reason}`);
  return [`${sent - ok} of ${sent} failed: ${told.join(", ")}`];
}

export function failedIdempotent({ idempotent }: Tally, leastSuccess = 1): string[] {
  const { sent, ok } = idempotent;
  return ok >= leastSuccess * sent ? [] : [`${sent - ok} of ${sent} idempotent requests failed`];
}

export function amplifiedBeyond({ amplification }: Tally, limit: number): string[] {
  return amplification <= limit ? [] : [`amplification ${amplification.toFixed(3)}, at most ${limit.toFixed(3)}`];
}

/** Retries saved up before the first request, by docs/reference/resilience.md: those of 10 s, and 10 at least. */
const savedUp = (perSecond: number): number => Math.max(10, 10 * retriesPerSecond(perSecond));

/** What `guarded` allows: a share of the requests, so many a second, and what was saved up. */
export function budgetOf({ load: { perSecond, seconds } }: Scenario): number {
  const beside = savedUp(perSecond) + retriesPerSecond(perSecond) * (seconds + 1);
  return 1 + RETRY_RATIO + beside / (perSecond * seconds);
}
