/** An explanation as people read it: what was found step by step, then what comes of it. */

import type { ExplainRequest, Explanation } from "@inmesh/core";
import { shortHost } from "@inmesh/core/admin";
import { count, formatMs } from "./format.js";
import { type Paint, printable } from "./paint.js";
import { placeOf } from "./problems.js";

export function formatExplanation(asked: ExplainRequest, answer: Explanation, paint: Paint): string {
  const lines: [title: string, text: string][] = [];
  const add = (title: string, texts: readonly string[]): void => {
    for (const [at, text] of texts.entries()) lines.push([at === 0 ? title : "", text]);
  };
  const { would } = answer;
  // While a mode keeps policy from applying, the first step says so.
  const modeSteps = would === null ? 0 : 1;
  add("mode", answer.steps.slice(0, modeSteps));
  const [lookup = "", ...steps] = answer.steps.slice(modeSteps);
  // The last steps tell where it goes, one for each destination and each copy.
  const { destinations, mirrors } = answer;
  const matching = destinations.length === 0 ? steps : steps.slice(0, -(destinations.length + mirrors.length));
  add("host", [lookup]);
  add("match", matching);
  add(
    "target",
    answer.destinations.flatMap((destination) => [
      destinationText(destination, answer),
      ...(destination.tls === null ? [] : [printable(`  TLS ${destination.tls.text}`)]),
    ]),
  );
  add("request", requestText(asked, answer));
  add("policy", policyText(answer));
  add("answer", responseText(answer));
  add("fields", fieldsText(answer));
  add("result", [paint(answer.status !== null && answer.status >= 400 ? "red" : "green", resultText(answer))]);
  if (would !== null) add("with on", [resultText(would)]);
  const titleWidth = 9;
  return lines.map(([title, text]) => `${paint("bold", title.padEnd(titleWidth))} ${text}\n`).join("");
}

function destinationText(
  { host, subset, port, weight, endpoints }: Explanation["destinations"][number],
  { destinations }: Explanation,
): string {
  const total = destinations.reduce((sum, each) => sum + each.weight, 0);
  const share = destinations.length === 1 ? 100 : total === 0 ? 0 : Math.round((weight / total) * 1_000) / 10;
  const name = `${shortHost(host)}:${port}${subset === "" ? "" : ` subset ${subset}`}`;
  return printable(`${name}  ${share}%  ${endpoints === 0 ? "no endpoint" : count(endpoints, "endpoint")}`);
}

/** Only where policy changes the request. */
function requestText({ headers = {} }: ExplainRequest, { request, outcome, route }: Explanation): string[] {
  if (route === null || (outcome !== "route" && outcome !== "noDestination")) return [];
  const before = new Map(Object.entries(headers).map(([name, value]) => [name.toLowerCase(), String(value)]));
  const changed = Object.entries(request.headers).filter(([name, value]) => before.get(name) !== value);
  const removed = [...before.keys()].filter((name) => !Object.hasOwn(request.headers, name));
  return [
    `${request.method} ${request.path}, host ${request.authority}`,
    ...changed.map(([name, value]) => `header ${name}: ${value}`),
    ...removed.map((name) => `without header ${name}`),
  ].map(printable);
}

function policyText({ route, timeoutMs, retries, fault, mirrors }: Explanation): string[] {
  if (route === null) return [];
  const parts = [timeoutMs === 0 ? "no timeout" : `timeout ${formatMs(timeoutMs)}`];
  if (retries !== null) {
    const { attempts, perTryTimeoutMs, retryOn } = retries;
    const each = perTryTimeoutMs === 0 ? "" : `, each attempt at most ${formatMs(perTryTimeoutMs)}`;
    parts.push(attempts <= 0 ? "no retries" : `${count(attempts, "retry", "retries")} on ${retryOn.join(",")}${each}`);
  }
  const lines = [parts.join("; ")];
  if (fault !== null && fault.delayPercent > 0) {
    lines.push(`fault: ${fault.delayPercent}% wait ${formatMs(fault.delayMs)} first`);
  }
  if (fault !== null && fault.abortPercent > 0) {
    const status = fault.abortGrpcStatus ?? fault.abortStatus;
    lines.push(`fault: ${fault.abortPercent}% are answered ${status} and not sent`);
  }
  lines.push(...mirrors.map(mirrorText));
  return lines.map(printable);
}

function mirrorText({ field, percent, host, port, subset, endpoints }: Explanation["mirrors"][number]): string {
  const name = `${shortHost(host)}:${port}${subset === "" ? "" : ` subset ${subset}`}`;
  const how = endpoints === 0 ? ", which has no endpoint" : "";
  return `${field}: ${percent}% are copied to ${name}${how}`;
}

function responseText({ responseHeaders: { set, add, remove } }: Explanation): string[] {
  return [
    ...remove.map((name) => `header ${name} removed`),
    ...Object.entries(set).map(([name, value]) => `header ${name}: ${value}`),
    ...Object.entries(add).map(([name, value]) => `header ${name}: ${value} added`),
  ].map(printable);
}

/** Where to change it: one line for each part that a document gives. */
function fieldsText({ origins }: Explanation): string[] {
  const written = origins.filter(({ file }) => file !== "");
  const width = Math.max(...written.map(({ part }) => part.length));
  return written.map(({ part, path, ...place }) => printable(`${part.padEnd(width)}  ${placeOf(place)}  ${path}`));
}

function resultText({ outcome, status, destinations, redirect, directResponse }: Explanation): string {
  switch (outcome) {
    case "route": {
      if (status !== null) return `${status}: policy asks for TLS that cannot be had`;
      const empty = destinations.every(({ endpoints }) => endpoints === 0);
      return empty ? "503: nothing that could answer is running" : "sent";
    }
    case "redirect":
      return printable(`${status} to ${redirect?.location ?? ""}, answered by the mesh`);
    case "directResponse":
      return printable(`${status} ${JSON.stringify(directResponse?.body ?? "")}, answered by the mesh`);
    case "fault":
      return `${status}: every request is aborted by fault injection`;
    case "notFound":
      return `${status}: no rule matches`;
    case "passThrough":
      return "leaves as if the mesh were not there";
    case "unknownHost":
      return `${status}: hosts outside the registry are refused`;
    case "pending":
      return "not known here yet: the first call has its rules told, and waits for them";
    case "noDestination":
      return `${status}: the rule names a service, port or subset that does not exist, or that a Sidecar keeps from its callers`;
  }
}
