/** When credentials are renewed, when that is tried again, and when somebody must hear that it fails. Pure. */

import type { Random } from "@inmesh/core";
import { type BackoffOptions, backoffMs } from "@inmesh/core/internal";

/** Of the life that is left when they come: half, and nobody at the same moment as those who started together. */
const RENEWED_AT = { from: 0.45, to: 0.55 };
/** Between two renewals at least, however short the lives that a source gives. In ms. */
const SHORTEST_MS = 500;
/** Before the first credentials calls wait for them; later the old ones still hold. In ms. */
const FIRST: BackoffOptions = { baseMs: 100, maxMs: 5_000 };
const LATER = { baseMs: 1_000, maxMs: 300_000 };
/** Of the life that is left: so many tries fit into it. */
const TRIES = 20;

/** Share of a life that is left when trouble is told, again and louder. */
export const WARNED_AT = [0.25, 0.1, 0.05];
/** From here on it is an error. */
export const LOUD_AT = 0.1;

/** Wall ms. @param wallMs at which they came */
export function renewalTime(wallMs: number, notAfter: number, random: Random): number {
  const share = RENEWED_AT.from + (RENEWED_AT.to - RENEWED_AT.from) * random.next();
  return wallMs + Math.max(SHORTEST_MS, (notAfter - wallMs) * share);
}

/** Ms until the next try. @param leftMs of the credentials in use; undefined: there are none, or none that hold */
export function retryDelay(failures: number, leftMs: number | undefined, random: Random): number {
  if (leftMs === undefined || leftMs <= 0) return backoffMs(FIRST, failures, random);
  const maxMs = Math.min(LATER.maxMs, Math.max(SHORTEST_MS, leftMs / TRIES));
  return backoffMs({ baseMs: Math.min(LATER.baseMs, maxMs), maxMs }, failures, random);
}

/** How many of `WARNED_AT` are behind. */
export function warnedSteps(wallMs: number, bornAt: number, notAfter: number): number {
  const left = (notAfter - wallMs) / (notAfter - bornAt);
  return WARNED_AT.filter((share) => left <= share).length;
}

/** Wall ms of the next of `WARNED_AT`, else of the end. */
export function nextWarning(steps: number, bornAt: number, notAfter: number): number {
  const share = WARNED_AT[steps];
  return share === undefined ? notAfter : notAfter - (notAfter - bornAt) * share;
}
