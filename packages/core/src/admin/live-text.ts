/** The live part of an explanation as people read it. */

import type { LiveDestination, LiveEndpoint, LiveExplanation } from "./live-explanation.js";
import { count, shortHost, shortMs } from "./short-text.js";

/** Endpoints told one by one. */
const TOLD = 8;

/** What there is now, a line each; the last says who sees it. */
export function liveLines({ seenBy, destinations }: LiveExplanation): readonly string[] {
  const [first] = seenBy;
  const others = seenBy.length > 1 ? ` and ${count(seenBy.length - 1, "other")}` : "";
  return [...destinations.flatMap(destinationLines), `as ${first}${others} ${seenBy.length > 1 ? "see" : "sees"} it`];
}

/** `200, as 41 of the last 41 calls, p99 31ms` */
export function expectedText({ expected, destinations }: LiveExplanation): string {
  const slowest = Math.max(...destinations.map(({ recent }) => recent?.p99Ms ?? -1));
  return slowest < 0 || expected.result === "" ? expected.text : `${expected.text}, p99 ${shortMs(slowest)}`;
}

function destinationLines({ cluster, endpoints, obstacles, recent }: LiveDestination): string[] {
  const [, , subset = "", host = cluster] = cluster.split("|"); // Envoy's form: direction|port|subset|host
  const usable = endpoints.filter((endpoint) => endpoint.usable).length;
  const name = `${shortHost(host)}${subset === "" ? "" : ` subset ${subset}`}`;
  const calls =
    recent === null
      ? "no call is remembered"
      : `last ${count(recent.calls, "call")}: p50 ${shortMs(recent.p50Ms)}, p99 ${shortMs(recent.p99Ms)}; ${recent.results
          .map(({ result, calls: each }) => `${result} x${each}`)
          .join(", ")}`;
  return [
    `${name}: ${usable} of ${count(endpoints.length, "endpoint")} in use; ${calls}`,
    ...endpoints.slice(0, TOLD).map((endpoint) => `  ${endpointText(endpoint)}`),
    ...(endpoints.length > TOLD ? [`  and ${count(endpoints.length - TOLD, "other")}: see -o json`] : []),
    ...obstacles.map((text) => `  ${text}`),
  ];
}

function endpointText({ id, version, out, inFlight, failureRatio, latencyMs }: LiveEndpoint): string {
  const facts = [
    ...(version === "" ? [] : [version]),
    `${inFlight} in flight`,
    ...(failureRatio === null ? ["not called yet"] : [`${(failureRatio * 100).toFixed(1)}% of attempts failed`]),
    ...(latencyMs === null ? [] : [`about ${shortMs(latencyMs)}`]),
  ];
  return `${id}  ${facts.join(", ")}${out.length === 0 ? "" : `; left alone by ${out.join("; ")}`}`;
}
