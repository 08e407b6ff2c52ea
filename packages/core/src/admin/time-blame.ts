/** Where the time of one outcome went: to this process, to the way, or to the other side. */

import type { TimeLedger } from "../telemetry/outcome-record.js";
import type { OutcomeView } from "./outcome-view.js";

export interface Blame {
  /**
   * `here`: this process's own event loop or code; `policy`: an injected delay, or the wait before another attempt; `queue`: for a
   * connection; `network`: names, connections, the way; `there`: the called side; `mixed`: nothing took half of it.
   */
  readonly where: "here" | "policy" | "queue" | "network" | "there" | "mixed";
  readonly ms: number;
  /** Of the whole, 0–1. */
  readonly share: number;
}

/** @param served what the called process remembers of the last attempt; then network and peer can be told apart */
export function blameOf({ direction, durationMs, ledger }: OutcomeView, served?: OutcomeView): Blame {
  if (direction === "inbound") return { where: "here", ms: durationMs, share: 1 };
  const { stallMs } = ledger;
  const parts: [Blame["where"], number][] = [
    ["here", Math.min(durationMs, Math.max(stallMs, ledger.meshMs))],
    ["policy", ledger.faultMs + ledger.backoffMs],
    ["queue", ledger.queueMs],
  ];
  const remote = Math.max(0, ledger.waitMs + ledger.bodyMs - (stallMs > ledger.meshMs ? stallMs : 0));
  const worked = served === undefined ? remote : Math.min(remote, served.durationMs);
  parts.push(["network", ledger.dnsMs + ledger.connectMs + ledger.tlsMs + (remote - worked)], ["there", worked]);
  const [where, ms] = parts.reduce((most, each) => (each[1] > most[1] ? each : most));
  const share = durationMs > 0 ? Math.min(1, ms / durationMs) : 0;
  return share < 0.5 ? { where: "mixed", ms, share } : { where, ms, share };
}

/** The largest of what `blameOf` found, as a sentence without its end. */
export function slowestPart({ direction, ledger, durationMs, host, authority }: OutcomeView, blame: Blame): string {
  const { where, ms, share } = blame;
  const most = `${duration(ms)} of ${duration(durationMs)} (${Math.round(share * 100)}%)`;
  switch (where) {
    case "here":
      if (ledger.stallMs >= durationMs / 2) {
        return `It was slow here: this process's event loop stood still for ${duration(ledger.stallMs)} of ${duration(durationMs)}`;
      }
      return direction === "inbound"
        ? `${duration(durationMs)} were spent in this process, most of it in none of its calls`
        : `It was slow here: ${most} in the mesh itself (${largest(ledger, HERE)})`;
    case "policy":
      return `${most} were asked for by policy: ${largest(ledger, POLICY)}`;
    case "queue":
      return `${most} went by waiting for a connection to ${host || authority}: its limit, or too few connections`;
    case "network":
      return `${most} went to the way to ${host || authority}: ${largest(ledger, WAY)}`;
    case "there":
      return `It was slow there: ${most} went by waiting for ${host || authority}`;
    case "mixed":
      return `No single part took half of its ${duration(durationMs)}`;
  }
}

const HERE = { meshMs: "routing, guard and gate" } as const;
const POLICY = { faultMs: "an injected delay", backoffMs: "back-off between attempts" } as const;
const WAY = {
  dnsMs: "looking up the name",
  connectMs: "connecting",
  tlsMs: "the TLS handshake",
  waitMs: "the network",
} as const;

function largest(ledger: TimeLedger, names: Readonly<Partial<Record<keyof TimeLedger, string>>>): string {
  const parts = Object.entries(names) as [keyof TimeLedger, string][];
  return parts.reduce((most, each) => (ledger[each[0]] > ledger[most[0]] ? each : most))[1];
}

function duration(ms: number): string {
  return ms < 10 ? `${Math.round(ms * 10) / 10} ms` : `${Math.round(ms)} ms`;
}
