/** How full a caller's limits are, how its circuit breakers stand and what it repeats, how its calls are spread, as a person would tell of it. */

import type { BalancerView, LimitsView, LimitView } from "@inmesh/core/admin";
import type { CallerHealth, DescribedCaller, PeersView, RepeatsView } from "../describe/described-callers.js";

/** Endpoints told one by one. */
const MOST_TOLD = 3;

export function callerLines(callers: readonly DescribedCaller[]): string[] {
  return callers.flatMap(({ name, port, subset, limits, breakers, repeats, balancing, peers, health }) => {
    const place = `${name} to port ${port}${subset === "" ? "" : ` ${subset}`}`;
    const lines = limits === null ? [] : limitTexts(limits);
    return [
      ...(lines.length === 0 ? [] : [`${place}: ${lines.join("; ")}`]),
      ...(health === null ? [] : [`${place}: ${healthText(health)}`]),
      ...(balancing === null ? [] : [`${place}: ${balancingLine(balancing)}`]),
      ...(peers === null ? [] : [`${place}: ${peersText(peers)}`]),
      ...(repeats === null ? [] : [`${place}: ${repeatsText(repeats)}`]),
      ...breakers.map(({ text, resource, refused }) =>
        [`${place}: ${resource} ${text}`, ...(refused === 0 ? [] : [`${refused} refused so far`])].join("; "),
      ),
    ];
  });
}

/** `2 of 3 endpoints in use; 10.0.0.1:80 is out: 5 attempts in a row failed, for 900 ms more`. */
function healthText({ endpoints, usable, panic, out }: CallerHealth): string {
  const used = panic ? ", sick ones too, because so few are well" : "";
  const who = out.slice(0, MOST_TOLD).map(({ id, reasons }) => `${id} is out: ${reasons.join("; ")}`);
  const rest = out.length > MOST_TOLD ? [`and ${out.length - MOST_TOLD} more`] : [];
  return [`${usable} of ${endpoints} endpoints in use${used}`, ...who, ...rest].join("; ");
}

/** `rank 0 (eu/eu-1) 70%, 1 of 2 endpoints in use; rank 1 (us/us-1) 30%, 2 of 2; ring of 1024 points`. */
function balancingLine({ notes, groups = [] }: BalancerView): string {
  const shares = groups.map(({ name, share, usable, endpoints }) => {
    return `${name} ${Math.round(share * 1_000) / 10}%, ${usable} of ${endpoints} in use`;
  });
  return [...shares, ...notes].join("; ");
}

/** `31 retries so far, 12 of them hedges; 4 left by rate, 7 kept back`. */
function repeatsText({ left, made, hedges, keptBack }: RepeatsView): string {
  const of = hedges === 0 ? "" : `, ${hedges} of them hedges`;
  const rate = left === null ? "" : `; ${left} left by rate${keptBack === 0 ? "" : `, ${keptBack} kept back`}`;
  return `${made} retries so far${of}${rate}`;
}

/** `the wrong peer was met 3 times; its own certificate may have been refused 2 times`. */
function peersText({ wrong, rejections }: PeersView): string {
  const times = (count: number): string => (count === 1 ? "once" : `${count} times`);
  return [
    ...(wrong === 0 ? [] : [`the wrong peer was met ${times(wrong)}`]),
    ...(rejections === 0 ? [] : [`its own certificate may have been refused ${times(rejections)}`]),
  ].join("; ");
}

/** Only what is limited. */
function limitTexts({ requests, pending, connections, retries }: LimitsView): string[] {
  const named: readonly (readonly [string, LimitView])[] = [
    ["requests", requests],
    ["waiting", pending],
    ["connections", connections],
    ["retries", retries],
  ];
  return named
    .filter(([, { most }]) => most > 0)
    .map(([what, { inUse, most, overflows }]) => {
      return `${what} ${inUse} of ${most}${overflows === 0 ? "" : `, ${overflows} too many so far`}`;
    });
}
