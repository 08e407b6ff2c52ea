/** What a service's processes let in, as a person would tell of it. */

import type { GateReading } from "@inmesh/core/admin";
import type { DescribedServer } from "../describe/described-server.js";
import { count, formatMs } from "./format.js";

export function serverLines(
  { rateLimits, sharedLimits, admission, processes }: DescribedServer,
  at: (key: string) => string,
): string[] {
  return [
    ...rateLimits.map(({ name, resource, by, requests, perMs, burst }) => {
      const each = by.length === 0 ? "" : ` for each ${by.join(" and ")}`;
      const more = burst === requests ? "" : `, ${burst} at once`;
      return `takes ${count(requests, "request")} per ${formatMs(perMs)}${each}${more}: rule ${ruleOf(name)} of ${at(resource)}`;
    }),
    ...sharedLimits.map(({ name, resource, by, service, domain, failureModeDeny }) => {
      const each = by.length === 0 ? "" : ` for each ${by.join(" and ")}`;
      const silent = failureModeDeny ? "nothing" : "everything";
      return `takes what ${service} allows in domain ${domain}${each}, ${silent} while that is silent: rule ${ruleOf(name)} of ${at(resource)}`;
    }),
    ...(admission === null ? [] : [`${admissionText(admission)}: ${at(admission.resource)}`]),
    ...processes.flatMap(({ name, gate, failure }) =>
      gate === null ? [`  ${name}: not known, ${failure}`] : [`  ${name}: ${gateText(gate)}`],
    ),
  ];
}

function admissionText({
  maxConcurrency,
  adaptive,
  maxLoopDelayMs,
}: NonNullable<DescribedServer["admission"]>): string {
  const limits = [
    ...(maxConcurrency === 0 ? [] : [`${count(maxConcurrency, "request")} at a time`]),
    ...(adaptive === null
      ? []
      : [`a limit it finds between ${adaptive.minConcurrency} and ${adaptive.maxConcurrency} at a time`]),
    ...(maxLoopDelayMs === 0 ? [] : [`${formatMs(maxLoopDelayMs)} of delay of the event loop`]),
  ];
  return limits.length === 0 ? "sheds no load, and knows priorities" : `sheds load beyond ${limits.join(", ")}`;
}

function gateText({ rateLimits, sharedLimits = [], admission }: GateReading): string {
  const parts: string[] = [];
  if (admission !== null) {
    const { inFlight, adaptiveLimit, loopDelayMs, admitted, refused, reasons } = admission;
    parts.push(`${inFlight} being served`);
    if (adaptiveLimit !== null) parts.push(`limit found ${adaptiveLimit}`);
    if (loopDelayMs !== null) parts.push(`event loop ${formatMs(loopDelayMs)} late`);
    const most = Object.entries(reasons).sort(([, a], [, b]) => b - a)[0];
    const away = refused.critical + refused.default + refused.sheddable;
    parts.push(`${admitted} let in, ${away} turned away${away === 0 ? "" : `, most by ${most?.[0]}`}`);
  }
  for (const { name, buckets, passed, refused } of rateLimits) {
    parts.push(`${ruleOf(name)}: ${passed} passed, ${refused} refused, ${count(buckets, "bucket")}`);
  }
  for (const { name, service, passed, refused, failed } of sharedLimits) {
    const silent = failed === 0 ? "" : `, ${failed} of which ${service} said nothing`;
    parts.push(`${ruleOf(name)}: ${passed} passed, ${refused} refused${silent}`);
  }
  return parts.join("; ");
}

/** `ns/document/rule`: the document stands beside it. */
function ruleOf(name: string): string {
  return name.slice(name.lastIndexOf("/") + 1);
}
