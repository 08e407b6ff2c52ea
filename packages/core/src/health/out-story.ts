/** Who is left out and why: for errors, the admin endpoint and the event log. */

import type { EndpointState } from "../cluster/endpoint-state.js";

/** One of the reasons why an endpoint gets no calls. */
export interface Out {
  readonly by: "outlierDetection" | "healthCheck" | "refusal";
  /** `5 attempts in a row failed`. */
  readonly reason: string;
  readonly sinceMs: number;
  /** For how much longer at least; 0 when that is not up to time. */
  readonly forMs: number;
}

/** Endpoints told one by one. */
const TOLD = 3;

/** Empty for one that is in use. */
export function outsOf(state: EndpointState, now: number): readonly Out[] {
  const { outlier, outlierUntil, unhealthy, health, ejectedUntil, ejectedAt, refusals } = state;
  const outs: Out[] = [];
  if (outlierUntil > now && outlier !== undefined) {
    const { reason, ejectedAt: since } = outlier;
    outs.push({ by: "outlierDetection", reason, sinceMs: now - since, forMs: outlierUntil - now });
  }
  if (unhealthy && health !== undefined) {
    const reason = `${checksText(health.failures)} failed: ${health.found}`;
    outs.push({ by: "healthCheck", reason, sinceMs: now - health.unhealthySince, forMs: 0 });
  }
  if (ejectedUntil > now) {
    const reason = refusals === 1 ? "it refused a connection" : `it refused connections, ${refusals} times in a row`;
    outs.push({ by: "refusal", reason, sinceMs: now - ejectedAt, forMs: ejectedUntil - now });
  }
  return outs;
}

/** `5 attempts in a row failed, for 12000 ms more`. */
export function outText({ reason, forMs }: Out): string {
  return forMs > 0 ? `${reason}, for ${Math.ceil(forMs)} ms more` : reason;
}

/** Empty for one that is in use. */
export function outReasons(state: EndpointState, now: number): string {
  return outsOf(state, now).map(outText).join("; ");
}

/** `all 3 endpoints are out: 10.0.0.1:80 (5 attempts in a row failed, for 12000 ms more), …` */
export function outStory(states: readonly EndpointState[], now: number): string {
  const told = states.slice(0, TOLD).map((state) => `${state.endpoint.id} (${outReasons(state, now)})`);
  const rest = states.length - told.length;
  const who = states.length === 1 ? "its only endpoint is out" : `all ${states.length} endpoints are out`;
  return `${who}: ${told.join(", ")}${rest > 0 ? ` and ${rest} more` : ""}`;
}

function checksText(checks: number): string {
  return checks === 1 ? "1 health check" : `${checks} health checks in a row`;
}
