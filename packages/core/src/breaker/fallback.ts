/** What a caller gets instead of the error that a breaker is open, where policy has something else. */

import type { BreakerFallback, Destination } from "@inmesh/model";
import type { Call } from "../call/call.js";
import { applyEachHeaderOps } from "../call/request-edit.js";
import type { Engine } from "../stack/engine.js";
import type { KeptAnswer } from "./stale-answers.js";

/** As on every answer that no endpoint made: docs/reference/headers.md. */
const MARK = ["x-inmesh-error", "BREAKER_OPEN"];

/** @returns whether the call is over with it */
export function answerInstead(call: Call, fallback: BreakerFallback, engine: Engine): boolean {
  if (fallback.kind === "response") {
    const headers = applyEachHeaderOps(fallback.headers.flat(), call.responseOps, call);
    call.fallback = "response";
    call.reply(fallback.status, [...headers, ...MARK], fallback.body);
    return true;
  }
  if (fallback.kind !== "stale") return false;
  const kept = engine.staleAnswers.find(call, fallback.maxAgeMs);
  if (kept === undefined) return false;
  call.fallback = "stale";
  const headers = applyEachHeaderOps(staleHeaders(kept, engine.clock.now()), call.responseOps, call);
  call.reply(kept.status, [...headers, ...MARK], kept.body);
  return true;
}

/** The call goes on to another cluster, at most once. @returns false where it cannot */
export function goElsewhere(call: Call, destination: Destination, { clusters }: Engine): boolean {
  const cluster = clusters.get(call.snapshot!, destination.cluster); // pinned before any stage ran
  if (call.fallback !== "" || cluster === undefined || cluster.config.policy.tls.refusal !== "") return false;
  const left = call.cluster!; // whose breaker is open
  left.stats.inFlight -= 1;
  cluster.stats.inFlight += 1;
  if (call.retrying) {
    left.limits.freeRetry(call);
    cluster.limits.holdRetry(call);
  }
  call.fallback = "destination";
  call.destination = destination;
  call.cluster = cluster;
  return true;
}

/** Its age grows while it is kept (RFC 9111 §5.1), and it says that it is stale (§5.5, which clients still read). */
function staleHeaders({ headers, at }: KeptAnswer, now: number): string[] {
  let ageMs = now - at;
  const told: string[] = [];
  for (let index = 0; index < headers.length; index += 2) {
    const name = headers[index]!; // flat pairs: both indices are in range
    const value = headers[index + 1]!;
    const lower = name.toLowerCase();
    if (lower === "age") ageMs += (Number(value) || 0) * 1_000;
    else if (!HOP_BY_HOP.has(lower)) told.push(name, value);
  }
  return [...told, "age", String(Math.floor(ageMs / 1_000)), "warning", '110 - "Response is Stale"'];
}

/** Of the connection that it came on, or worked out anew. */
const HOP_BY_HOP = new Set(["connection", "keep-alive", "transfer-encoding", "content-length", "trailer", "upgrade"]);
