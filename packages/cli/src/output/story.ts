/** One request's story as people read it: a tree of what was served and called, with where the time went, and the verdict last. */

import type { OutcomeAttemptView, OutcomeView, StoryNode, TraceStory } from "@inmesh/core/admin";
import { servedBy } from "@inmesh/core/admin";
import { count, formatMs } from "./format.js";
import { type Paint, printable } from "./paint.js";

export function formatStory({ roots, verdict }: TraceStory, paint: Paint): string {
  const lines: string[] = [];
  const [first] = roots;
  if (first !== undefined) lines.push(headLine(first.outcome));
  for (const root of roots) tell(root, "", "", lines, paint);
  lines.push(`${paint("bold", "why")}  ${paint(verdict.ok ? "green" : "red", printable(verdict.text))}`);
  return `${lines.join("\n")}\n`;
}

function headLine({ traceId, requestId, wallMs }: OutcomeView): string {
  const ids = [...(traceId === "" ? [] : [`trace ${traceId}`]), ...(requestId === "" ? [] : [`request ${requestId}`])];
  return printable([new Date(wallMs).toISOString(), ...ids].join("  "));
}

function tell(node: StoryNode, first: string, further: string, lines: string[], paint: Paint): void {
  const { outcome } = node;
  lines.push(`${first}${outcome.direction === "inbound" ? servedLine(node, paint) : calledLine(node, paint)}`);
  const times = ledgerText(outcome);
  if (times !== "") lines.push(`${further}   ${times}`);
  const under: ((first: string, further: string) => void)[] = [];
  if (outcome.direction === "inbound") {
    for (const call of node.calls) under.push((one, more) => tell(call, one, more, lines, paint));
  } else {
    for (const attempt of outcome.attempts) {
      under.push((one, more) => {
        lines.push(`${one}${attemptLine(attempt, paint)}`);
        for (const served of servedBy(node, attempt)) tell(served, `${more}└ `, `${more}  `, lines, paint);
      });
    }
    const told = new Set(outcome.attempts.flatMap((attempt) => servedBy(node, attempt)));
    for (const { node: served } of node.served) {
      if (!told.has(served)) under.push((one, more) => tell(served, one, more, lines, paint));
    }
    const left = outcome.attemptCount - outcome.attempts.length;
    if (left > 0)
      under.push((one) =>
        lines.push(`${one}and ${count(left, "more attempt")} that ${left === 1 ? "was" : "were"} not kept`),
      );
  }
  under.forEach((line, at) => {
    const last = at === under.length - 1;
    line(`${further}${last ? "└ " : "├ "}`, `${further}${last ? "  " : "│ "}`);
  });
}

function servedLine({ process, dump, outcome }: StoryNode, paint: Paint): string {
  const { method, path, httpRoute, peer, remoteAddress } = outcome;
  const from = peer !== "" ? ` from ${peer}` : remoteAddress === "" ? "" : ` from ${remoteAddress}`;
  const route = httpRoute === "" || httpRoute === path ? "" : ` (route ${httpRoute})`;
  return `${printable(`${process} served ${method} ${path}${route}${from}: `)}${endText(outcome, paint)}${dumpText(dump)}`;
}

function calledLine({ process, dump, outcome }: StoryNode, paint: Paint): string {
  const { method, scheme, authority, path, attemptCount, route, noRetry } = outcome;
  const rule = route === "" || route === "default" ? "" : ` (rule ${route})`;
  const tries = attemptCount === 1 ? "" : `, ${count(attemptCount, "attempt")}`;
  const no = noRetry === "" ? "" : `, not tried again: ${noRetry.replaceAll("_", " ")}`;
  return `${printable(`${process} called ${method} ${scheme || "http"}://${authority}${path}${rule}: `)}${endText(outcome, paint)}${printable(`${tries}${no}`)}${dumpText(dump)}`;
}

function attemptLine(attempt: OutcomeAttemptView, paint: Paint): string {
  const { number, endpoint, version, outcome, durationMs, startMs, reused, code, status, grpcStatus = -1 } = attempt;
  const good = code === "" && status > 0 && status < 500 && grpcStatus <= 0;
  const facts = [
    `after ${formatMs(durationMs)}`,
    ...(startMs >= 1 ? [`begun at ${formatMs(startMs)}`] : []),
    ...(reused ? ["on a connection kept open"] : []),
  ];
  const where = `attempt ${number} to ${endpoint}${version === "" ? "" : ` (${version})`}: `;
  const times = partsText(attempt.ledger);
  return `${printable(where)}${paint(good ? "green" : "red", printable(outcome))}${printable(` ${facts.join(", ")}${times === "" ? "" : `: ${times}`}`)}`;
}

function endText(outcome: OutcomeView, paint: Paint): string {
  const { status, code, flags, grpcStatus, durationMs } = outcome;
  const what = [
    status === 0 ? "no answer" : `${status}`,
    ...(grpcStatus >= 0 ? [`gRPC ${grpcStatus}`] : []),
    ...(code === "" ? [] : [code]),
    ...(flags === "-" || flags === "" ? [] : [flags]),
  ].join(" ");
  return `${paint(outcome.failed ? "red" : "green", printable(what))} after ${formatMs(durationMs)}`;
}

function dumpText(dump: string): string {
  return DUMPS[dump] ?? "";
}

const DUMPS: Readonly<Record<string, string>> = {
  crash: " [from its dump: it crashed]",
  end: " [from its dump: it has ended]",
  breaker: " [from its dump: a breaker opened]",
};

/** Of an inbound one only what is not plain from the tree: its calls have their own. */
function ledgerText({ direction, ledger }: OutcomeView): string {
  if (direction === "outbound") return partsText(ledger);
  return ledger.stallMs >= 1 ? `of that the event loop stood still for ${formatMs(ledger.stallMs)}` : "";
}

/** `mesh 0.1ms, connect 1.2ms, wait 40ms`: parts of at least a tenth of a millisecond. */
function partsText(ledger: OutcomeView["ledger"]): string {
  const { meshMs, faultMs, queueMs, dnsMs, connectMs, tlsMs, waitMs, bodyMs, backoffMs, stallMs } = ledger;
  const parts = Object.entries({
    ...{ mesh: meshMs, fault: faultMs, queue: queueMs, dns: dnsMs, connect: connectMs, tls: tlsMs },
    ...{ wait: waitMs, body: bodyMs, "back-off": backoffMs },
  })
    .filter(([, ms]) => ms >= 0.1)
    .map(([name, ms]) => `${name} ${formatMs(ms)}`);
  if (stallMs >= 1) parts.push(`(event loop stood still for ${formatMs(stallMs)})`);
  return parts.join(", ");
}
