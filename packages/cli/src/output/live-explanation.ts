/** The live part of an explanation as people read it. */

import type { LiveDestination, LiveEndpoint, LiveExplanation } from "@inmesh/core/admin";
import { shortHost } from "../command/endpoints.js";
import { count, formatMs } from "./format.js";
import { type Paint, printable } from "./paint.js";

export function formatLive(live: LiveExplanation | null, paint: Paint): string {
  if (live === null) return "";
  const { seenBy, destinations, expected } = live;
  const lines = destinations.flatMap(destinationLines);
  const [first] = seenBy;
  const others = seenBy.length > 1 ? ` and ${count(seenBy.length - 1, "other")}` : "";
  lines.push(`as ${first}${others} ${seenBy.length > 1 ? "see" : "sees"} it`);
  const titled = lines.map((line, at) => `${paint("bold", (at === 0 ? "now" : "").padEnd(9))} ${printable(line)}\n`);
  const bad = /^[45]|^[A-Z]/.test(expected.result);
  const result = paint(expected.result === "" ? "dim" : bad ? "red" : "green", printable(expectedText(live)));
  return `${titled.join("")}${paint("bold", "expected".padEnd(9))} ${result}\n`;
}

function destinationLines({ cluster, endpoints, obstacles, recent }: LiveDestination): string[] {
  const [, , subset = "", host = cluster] = cluster.split("|"); // Envoy's form: direction|port|subset|host
  const usable = endpoints.filter((endpoint) => endpoint.usable).length;
  const name = `${shortHost(host)}${subset === "" ? "" : ` subset ${subset}`}`;
  const calls =
    recent === null
      ? "no call is remembered"
      : `last ${count(recent.calls, "call")}: p50 ${formatMs(recent.p50Ms)}, p99 ${formatMs(recent.p99Ms)}; ${recent.results
          .map(({ result, calls: each }) => `${result} x${each}`)
          .join(", ")}`;
  return [
    `${name}: ${usable} of ${count(endpoints.length, "endpoint")} in use; ${calls}`,
    ...endpoints.slice(0, TOLD).map((endpoint) => `  ${endpointText(endpoint)}`),
    ...(endpoints.length > TOLD ? [`  and ${count(endpoints.length - TOLD, "other")}: see -o json`] : []),
    ...obstacles.map((text) => `  ${text}`),
  ];
}

const TOLD = 8;

function endpointText({ id, version, out, inFlight, failureRatio, latencyMs }: LiveEndpoint): string {
  const facts = [
    ...(version === "" ? [] : [version]),
    `${inFlight} in flight`,
    ...(failureRatio === null ? ["not called yet"] : [`${(failureRatio * 100).toFixed(1)}% of attempts failed`]),
    ...(latencyMs === null ? [] : [`about ${formatMs(latencyMs)}`]),
  ];
  return `${id}  ${facts.join(", ")}${out.length === 0 ? "" : `; left alone by ${out.join("; ")}`}`;
}

function expectedText({ expected, destinations }: LiveExplanation): string {
  const slowest = Math.max(...destinations.map(({ recent }) => recent?.p99Ms ?? -1));
  return slowest < 0 || expected.result === "" ? expected.text : `${expected.text}, p99 ${formatMs(slowest)}`;
}
