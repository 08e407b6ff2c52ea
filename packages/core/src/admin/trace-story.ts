/**
 * One request's way through the mesh, joined from what several processes remember: who called whom on whose behalf, and what
 * that says about why it ended as it did, and where its time went.
 */

import type { OutcomeAttemptView, OutcomeView } from "./outcome-view.js";
import { type Blame, blameOf, slowestPart } from "./time-blame.js";

/** An outcome, and whose it is. */
export interface RememberedOutcome {
  /** `namespace/service`. */
  readonly service: string;
  /** Name of the process, as people see it. */
  readonly process: string;
  /** Why it was written down, of one that a dump remembers: `crash`, `breaker`, `end`; empty: its process runs. */
  readonly dump: string;
  readonly outcome: OutcomeView;
}

export interface StoryNode extends RememberedOutcome {
  /** For outbound ones. Requests that the called process remembers, by the attempt they came by; 0: not known which. */
  readonly served: readonly { readonly attempt: number; readonly node: StoryNode }[];
  /** For inbound ones: calls made on their behalf, in order. */
  readonly calls: readonly StoryNode[];
}

export interface TraceStory {
  /** Usually one: the request that came into the mesh. */
  readonly roots: readonly StoryNode[];
  readonly verdict: Verdict;
}

export interface Verdict {
  readonly ok: boolean;
  /** Why it ended so, a sentence. */
  readonly text: string;
  /** Process in which it began to go wrong, or that took the time. */
  readonly process: string;
  readonly blame: Blame;
}

/** Clocks of two machines may differ by so much, in ms; of one machine they are the same. */
const SKEW_MS = 2_000;

/** @param remembered of one trace, or one request id; the same one twice (ring and dump) counts once */
export function traceStory(remembered: readonly RememberedOutcome[]): TraceStory | undefined {
  const all = withoutTwins(remembered).sort((one, other) => one.outcome.wallMs - other.outcome.wallMs);
  if (all.length === 0) return undefined;
  const nodes = all.map((each) => ({ ...each, served: [], calls: [] }) as Growing);
  const inbound = nodes.filter(({ outcome }) => outcome.direction === "inbound");
  const outbound = nodes.filter(({ outcome }) => outcome.direction === "outbound");
  const roots = new Set(nodes);
  /** Requests by the call that they made, and calls by the request that came by them. */
  const above = new Map<Growing, Growing>();
  for (const call of outbound) {
    const parent = behindCall(call, inbound);
    if (parent === undefined) continue;
    above.set(call, parent);
    parent.calls.push(call);
    roots.delete(call);
  }
  for (const request of inbound) {
    const others = outbound.filter((call) => !isBelow(call, request, above)); // a service may call itself
    const found = behindRequest(request, others);
    if (found === undefined) continue;
    above.set(request, found.call);
    found.call.served.push({ attempt: found.attempt, node: request });
    roots.delete(request);
  }
  const list = [...roots].sort((one, other) => one.outcome.wallMs - other.outcome.wallMs);
  return { roots: list, verdict: verdictOf(list) };
}

interface Growing extends RememberedOutcome {
  readonly served: { attempt: number; node: Growing }[];
  readonly calls: Growing[];
}

function isBelow(node: Growing, other: Growing, above: ReadonlyMap<Growing, Growing>): boolean {
  for (let at = above.get(node); at !== undefined; at = above.get(at)) if (at === other) return true;
  return false;
}

/** The request of the same process during which it was made. Of several the one that began last: the others are above it. */
function behindCall({ process, outcome }: Growing, inbound: readonly Growing[]): Growing | undefined {
  return inbound
    .filter((each) => each.process === process && contains(each.outcome, outcome.wallMs))
    .sort((one, other) => other.outcome.wallMs - one.outcome.wallMs)[0];
}

/** Wall clocks are kept in whole ms by some, and a call may go on after its request was answered. */
function contains({ wallMs, durationMs }: OutcomeView, at: number): boolean {
  return at >= wallMs - 1 && at <= wallMs + durationMs + 1;
}

function behindRequest(
  { service, outcome }: Growing,
  outbound: readonly Growing[],
): { call: Growing; attempt: number } | undefined {
  const bySpan = callsOfSpan(outcome, outbound);
  const calls = bySpan.length > 0 ? bySpan : outbound;
  const here = calls.filter((call) => called(call.outcome, service));
  const candidates = bySpan.length > 0 && here.length === 0 ? bySpan : here;
  const ranked = candidates
    .map((call) => ({ call, off: farOff(call.outcome, outcome.wallMs) }))
    .filter(({ off }) => bySpan.length > 0 || off <= SKEW_MS)
    .sort((one, other) => one.off - other.off || other.call.outcome.wallMs - one.call.outcome.wallMs);
  const [best] = ranked;
  return best === undefined ? undefined : { call: best.call, attempt: attemptBehind(best.call, outcome) };
}

/**
 * Those whose span the request says it was made in. Without a span of its own it says whose it was given, which goes from hop to hop as it
 * is, and tells nothing of any. One that only passes on what it was given has the same as the call before it: there may be several.
 */
function callsOfSpan({ spanId, parentSpanId }: OutcomeView, outbound: readonly Growing[]): readonly Growing[] {
  if (parentSpanId === "" || parentSpanId === spanId) return [];
  return outbound.filter(({ outcome }) => outcome.spanId === parentSpanId);
}

function called({ host }: OutcomeView, service: string): boolean {
  const [namespace = "", name = ""] = service.split("/");
  return host === service || host.startsWith(`${name}.${namespace}.svc`);
}

/** 0 while the call was under way. */
function farOff({ wallMs, durationMs }: OutcomeView, at: number): number {
  return Math.max(0, wallMs - at, at - (wallMs + durationMs));
}

function attemptBehind({ outcome: { attempts, wallMs } }: Growing, request: OutcomeView): number {
  if (request.attemptOf > 0) return request.attemptOf;
  const began = attempts.filter(({ startMs }) => wallMs + startMs <= request.wallMs + 1);
  return attempts.length === 1 ? (attempts[0]?.number ?? 0) : (began.at(-1)?.number ?? 0);
}

function withoutTwins(remembered: readonly RememberedOutcome[]): RememberedOutcome[] {
  const seen = new Map<string, RememberedOutcome>();
  for (const each of remembered) {
    const { direction, wallMs, method, path, durationMs, spanId } = each.outcome;
    const key = [each.process, direction, wallMs, durationMs, method, path, spanId].join(" ");
    if (!seen.has(key) || each.dump === "") seen.set(key, each);
  }
  return [...seen.values()];
}

/** Follows what failed, or what took the most of the time, as far down as anybody remembers. */
function verdictOf(roots: readonly StoryNode[]): Verdict {
  const root = roots.find(({ outcome }) => outcome.failed) ?? roots[0]!; // there is one, or there is no story
  const bad = root.outcome.failed;
  const end = bad ? deepestFailure(root) : slowestOf(root);
  const { outcome, process } = end;
  const blame = blameOf(outcome, servedOf(end));
  const cause = bad ? causeText(end) : "";
  const time = slowestPart(outcome, blame);
  const dead = end.dump === "crash" ? ` ${process} crashed afterwards: this is what it remembered.` : "";
  const text = bad
    ? `${cause}${outcome.direction === "outbound" && blame.where !== "mixed" ? ` ${time}.` : ""}${dead}`
    : `It was answered ${outcome.status || root.outcome.status} in ${duration(root.outcome.durationMs)}. ${time}.${dead}`;
  return { ok: !bad, text, process, blame };
}

/** Of a request, above which what took it is looked into. */
const MOST_OF = 0.5;

function deepestFailure(node: StoryNode): StoryNode {
  const below = [...node.calls, ...node.served.map((each) => each.node)].filter(({ outcome }) => outcome.failed);
  const last = below.at(-1);
  return last === undefined ? node : deepestFailure(last);
}

/** Down to where the time was spent, while one thing below accounts for most of it. */
function slowestOf(node: StoryNode): StoryNode {
  const below = [...node.calls, ...node.served.map((each) => each.node)];
  const [longest] = below.sort((one, other) => other.outcome.durationMs - one.outcome.durationMs);
  const most = node.outcome.durationMs * MOST_OF;
  return longest === undefined || longest.outcome.durationMs < most ? node : slowestOf(longest);
}

function causeText({ process, service, outcome }: StoryNode): string {
  const { direction, code, status, message, details, host, authority, attempts, httpRoute, method, path, policy } =
    outcome;
  if (direction === "inbound") {
    if (code !== "") {
      const by = policy === "" ? "" : ` by ${policy}`;
      return `${process} refused ${method} ${path}${by}: ${message || details || code} (${code}).`.replace(
        / \((\w+)\) \(\1\)/,
        " ($1)",
      );
    }
    const route = httpRoute === "" ? "" : ` (route ${httpRoute})`;
    return `The application of ${process} answered ${method} ${path}${route} with ${status || "nothing"}: look at its log; no call that it made failed.`;
  }
  const last = attempts.at(-1);
  if (code !== "")
    return sentence(message === "" ? `${service} could not call ${host || authority}: ${details} (${code})` : message);
  return `${host || authority} answered ${status}${last === undefined ? "" : ` from ${last.endpoint}`}: no process of the mesh remembers why.`;
}

function sentence(text: string): string {
  return /[.!?]$/.test(text) ? text : `${text}.`;
}

/** What the called process says about an outbound call's last attempt. */
function servedOf({ served }: StoryNode): OutcomeView | undefined {
  return served.at(-1)?.node.outcome;
}

/** Attempts with what was served by each, for a reader. */
export function servedBy(node: StoryNode, { number }: OutcomeAttemptView): readonly StoryNode[] {
  return node.served.filter(({ attempt }) => attempt === number).map((each) => each.node);
}

function duration(ms: number): string {
  return ms < 10 ? `${Math.round(ms * 10) / 10} ms` : `${Math.round(ms)} ms`;
}
