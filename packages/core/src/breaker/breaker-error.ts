/** The error of a call that a breaker stopped: which one, what opened it, since when, and when it is probed next (pitfalls B5). */

import type { Call } from "../call/call.js";
import { attemptsStory, requestLine } from "../call/story.js";
import { MeshError } from "../errors.js";
import type { Breaker } from "./breaker.js";

/** @param breaker of all that stand in the way the one that is probed first */
export function breakerError(call: Call, breaker: Breaker, now: number): MeshError {
  const { resource } = breaker.policy.resource;
  const fate = call.attempts === 0 ? "was not sent" : `was not sent again (${attemptsStory(call, now)})`;
  return new MeshError(
    "BREAKER_OPEN",
    `${requestLine(call)} ${fate}: ${resource.kind} ${resource.namespace}/${resource.name} is ${standing(breaker, now)}. See: inmesh describe ${call.cluster?.config.host}`,
    { ...call.place, cause: call.attempt?.error },
  );
}

/** `open for endpoint 10.0.0.3:80 since 2 s: 60% … failed; next probe in 8 s`. */
export function standing(breaker: Breaker, now: number): string {
  const { name, since, until, cause } = breaker;
  const state = breaker.state(now);
  if (state === "closed") return `closed for ${name}`;
  const next =
    state === "open" ? `next probe in ${seconds(until - now)}` : `its ${breaker.probes.out} probes under way decide`;
  return `${state === "open" ? "open" : "half open"} for ${name} since ${seconds(now - since)}: ${cause}; ${next}`;
}

/** `0.4 s`, `12 s`. */
function seconds(ms: number): string {
  return `${ms < 10_000 ? Math.round(ms / 100) / 10 : Math.round(ms / 1_000)} s`;
}
