/** What was tapped, summed up by who called whom for what, as far as a screen and memory have room. */

import { isServerFault, pathTemplate } from "@inmesh/core/internal";
import type { Tapped } from "./watch.js";

export interface TopRow {
  /** `namespace/service` that called, or was asked. */
  readonly source: string;
  readonly direction: Tapped["direction"];
  /** Host called; empty for requests served. */
  readonly destination: string;
  readonly method: string;
  /** The route of the application where it is known, else the path with what varies left out. */
  readonly path: string;
  readonly count: number;
  readonly failures: number;
  readonly bestMs: number;
  readonly worstMs: number;
  readonly lastMs: number;
  readonly sumMs: number;
  /** Ms of it in which the processes that told of it stood still. */
  readonly stallMs: number;
  /** Ms of it in which the peer was waited for. */
  readonly waitMs: number;
}

/** Rows kept; calls of others are counted together. */
const MOST_ROWS = 500;
const OTHERS = "(others)";
/** Of the whole time: more than this stood still here, and the slowness is here. */
const HERE_RATIO = 0.25;

export class TopRows {
  readonly #rows = new Map<string, TopRow>();

  add(event: Tapped): void {
    const { direction, source, method, destination, httpRoute, path, authority } = event;
    const to = direction === "outbound" ? destination || authority : "";
    const shown = direction === "inbound" && httpRoute !== "" ? httpRoute : pathTemplate(path);
    const key = JSON.stringify([direction, source, to, method, shown]);
    if (this.#rows.has(key) || this.#rows.size < MOST_ROWS) this.#count(key, event, to, method, shown);
    else this.#count(JSON.stringify([direction, source, OTHERS]), event, OTHERS, "", "");
  }

  /** The busiest first. */
  read(): readonly TopRow[] {
    return [...this.#rows.values()].sort((a, b) => b.count - a.count || b.sumMs - a.sumMs);
  }

  clear(): void {
    this.#rows.clear();
  }

  #count(key: string, event: Tapped, destination: string, method: string, path: string): void {
    const { source, direction, durationMs, status, grpcStatus, error, ledger } = event;
    const before = this.#rows.get(key);
    const failed = status >= 500 || status === 0 || isServerFault(grpcStatus) || error !== "";
    this.#rows.set(key, {
      ...{ source, direction, destination, method, path },
      count: (before?.count ?? 0) + 1,
      failures: (before?.failures ?? 0) + (failed ? 1 : 0),
      bestMs: Math.min(before?.bestMs ?? durationMs, durationMs),
      worstMs: Math.max(before?.worstMs ?? durationMs, durationMs),
      lastMs: durationMs,
      sumMs: (before?.sumMs ?? 0) + durationMs,
      stallMs: (before?.stallMs ?? 0) + Math.min(durationMs, number(ledger.stallMs)),
      waitMs: (before?.waitMs ?? 0) + number(ledger.waitMs) + number(ledger.bodyMs),
    });
  }
}

/** Where the time went: `here` when the process that tells of it stood still, `there` when it waited for the peer. */
export function slowText({ sumMs, stallMs, waitMs, direction }: TopRow): string {
  if (sumMs === 0) return "";
  const [stall, wait] = [stallMs / sumMs, waitMs / sumMs];
  if (stall >= HERE_RATIO) return `here: stood still ${Math.round(stall * 100)}%`;
  if (direction === "inbound") return "";
  return wait >= 0.5 ? `there ${Math.round(wait * 100)}%` : `here: mesh and network ${Math.round((1 - wait) * 100)}%`;
}

function number(value: unknown): number {
  return typeof value === "number" && value > 0 ? value : 0;
}
