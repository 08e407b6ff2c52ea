/** Who is left out and why, in words: of errors, `inmesh endpoints` and the event log. */

import type { EndpointState } from "../cluster/endpoint-state.js";

/** Endpoints told one by one. */
const TOLD = 3;

/** `all 3 endpoints are out: 10.0.0.1:80 (ejected for 12000 ms more: 5 attempts in a row failed), …` */
export function outStory(states: readonly EndpointState[], now: number): string {
  const told = states.slice(0, TOLD).map((state) => `${state.endpoint.id} (${outReasons(state, now).join(", ")})`);
  const rest = states.length - told.length;
  const who = states.length === 1 ? "its only endpoint is out" : `all ${states.length} endpoints are out`;
  return `${who}: ${told.join(", ")}${rest > 0 ? ` and ${rest} more` : ""}`;
}

/** Empty for one that is in use. */
export function outReasons(state: EndpointState, now: number): string[] {
  const { outlier, outlierUntil, unhealthy, health, ejectedUntil } = state;
  const reasons: string[] = [];
  if (outlierUntil > now) reasons.push(`ejected for ${left(outlierUntil, now)} more: ${outlier?.reason}`);
  if (unhealthy && health !== undefined) reasons.push(`${checksText(health.failures)} failed: ${health.found}`);
  if (ejectedUntil > now) reasons.push(`refused connections, left alone for ${left(ejectedUntil, now)} more`);
  return reasons;
}

function checksText(checks: number): string {
  return checks === 1 ? "1 health check" : `${checks} health checks in a row`;
}

function left(until: number, now: number): string {
  return `${Math.ceil(until - now)} ms`;
}
