/** A ledger in the format of Server-Timing, and in words: what the time went on, and whose it was. */

import type { Call } from "../call/call.js";
import { attemptsOf } from "../call/story.js";
import type { TimeLedger } from "./outcome-record.js";
import { ledgerTotal, outcomeLedger, wasUnconnected } from "./time-ledger.js";

/** On answers, where the setting `timing` asks for it. */
export const TIMING_HEADER = "x-inmesh-timing";

/** Below this many ms a call is not slow. */
const SLOW_MS = 100;
/** A part that took this share of a call is what it was slow by. */
const MOST_OF_IT = 0.5;

const PARTS = [
  ["mesh", "meshMs"],
  ["fault", "faultMs"],
  ["queue", "queueMs"],
  ["dns", "dnsMs"],
  ["connect", "connectMs"],
  ["tls", "tlsMs"],
  ["wait", "waitMs"],
  ["body", "bodyMs"],
  ["backoff", "backoffMs"],
] as const satisfies readonly (readonly [string, keyof TimeLedger])[];

const WORDS: Readonly<Record<(typeof PARTS)[number][0], string>> = {
  mesh: "in the mesh",
  fault: "of injected delay",
  queue: "in the queue for a connection",
  dns: "looking up",
  connect: "connecting",
  tls: "for TLS",
  wait: "waiting for an answer",
  body: "reading the answer",
  backoff: "between attempts",
};
/** Parts of less are not told in a message, in ms. */
const TOLD_MS = 1;

/** `mesh;dur=0.21, wait;dur=31.4, total;dur=31.6`: parts that took no time are left out; `stall` lies within the others. */
export function serverTiming(ledger: TimeLedger): string {
  let text = "";
  for (const [name, part] of PARTS) if (ledger[part] > 0) text += `${name};dur=${rounded(ledger[part])}, `;
  text += `total;dur=${rounded(ledgerTotal(ledger))}`;
  return ledger.stallMs > 0 ? `${text}, stall;dur=${rounded(ledger.stallMs)}` : text;
}

/** ` Its time: 12 ms connecting, 240 ms waiting for an answer.`; empty where it went on one thing, which the attempts' story tells. */
export function timeStory(ledger: TimeLedger): string {
  if (ledgerTotal(ledger) < TOLD_MS) return "";
  const parts = PARTS.filter(([, part]) => ledger[part] >= TOLD_MS).map(
    ([name, part]) => `${Math.round(ledger[part])} ms ${WORDS[name]}`,
  );
  const stalled = ledger.stallMs > 0 ? ` This process stood still for ${Math.round(ledger.stallMs)} ms of it.` : "";
  return parts.length < 2 ? stalled : ` Its time: ${parts.join(", ")}.${stalled}`;
}

/** Of a call that may be under way. */
export function ledgerSoFar(call: Call, now: number): TimeLedger {
  const { startedAt, readyAt, faultMs } = call;
  const stallMs = call.engine.stalls.stalledMs(startedAt, now);
  const attempts = attemptsOf(call).map(({ startedAt: began, sentAt, headAt, endedAt, wire, error }) => ({
    ...{
      startedAt: began,
      sentAt,
      headAt,
      endedAt: endedAt || now,
      wire,
      unconnected: wasUnconnected(error),
      stallMs: 0,
    },
  }));
  return outcomeLedger({ startedAt, readyAt, headAt: 0, endedAt: now, faultMs, stallMs }, attempts);
}

/**
 * Where a slow call was slow: `slow here: this process stood still for 240 of 260 ms`, `slow there: …`. Empty for one that was
 * not slow.
 */
export function slowness(ledger: TimeLedger): string {
  const total = ledgerTotal(ledger);
  if (total < SLOW_MS) return "";
  const of = `of ${Math.round(total)} ms`;
  const enough = total * MOST_OF_IT;
  if (ledger.stallMs >= enough) return `slow here: this process stood still for ${Math.round(ledger.stallMs)} ${of}`;
  const { waitMs, bodyMs, queueMs, meshMs, faultMs, backoffMs } = ledger;
  if (waitMs + bodyMs >= enough) return `slow there: the endpoint took ${Math.round(waitMs + bodyMs)} ${of}`;
  const openMs = ledger.dnsMs + ledger.connectMs + ledger.tlsMs;
  if (openMs >= enough) return `slow on the way: looking up, connecting and TLS took ${Math.round(openMs)} ${of}`;
  if (faultMs >= enough) return `slow on purpose: policy delayed it by ${Math.round(faultMs)} ${of}`;
  if (queueMs >= enough) return `slow here: it waited for a connection for ${Math.round(queueMs)} ${of}`;
  if (backoffMs >= enough) return `slow here: it waited between attempts for ${Math.round(backoffMs)} ${of}`;
  if (meshMs >= enough) return `slow here: it waited in the mesh for ${Math.round(meshMs)} ${of}`;
  return `slow in parts: ${serverTiming(ledger)}`;
}

/** To 0.01 ms. */
function rounded(ms: number): number {
  return Math.round(ms * 100) / 100;
}
