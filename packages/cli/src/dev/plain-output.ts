/** For a pipe or a log file: every event as a line, and a line of figures every two seconds. */

import type { Output } from "../io.js";
import { type Paint, printable, type Style } from "../output/paint.js";
import type { EventKind, SessionEvent } from "./event-log.js";
import { latencyText, perSecond, retryText, shareText, successText } from "./figure-text.js";
import type { Edge } from "./figures.js";

const STYLES: Partial<Record<EventKind, Style>> = { step: "bold", error: "red", policy: "cyan", fault: "magenta" };

export class PlainOutput {
  readonly #output: Output;
  readonly #paint: Paint;

  constructor(output: Output, paint: Paint) {
    this.#output = output;
    this.#paint = paint;
  }

  event({ kind, source, text }: SessionEvent): void {
    this.#output.write(`${this.#line(kind, source, text)}\n`);
  }

  figures(edges: readonly Edge[]): void {
    const flowing = edges.filter(({ requestsPerSecond }) => requestsPerSecond > 0);
    if (flowing.length > 0)
      this.#output.write(`${this.#paint("dim", `figures   ${flowing.map(edgeText).join(" | ")}`)}\n`);
  }

  #line(kind: EventKind, source: string, text: string): string {
    const style = STYLES[kind];
    const safe = printable(text);
    if (kind === "output") return `${source.padEnd(9)} | ${safe}`;
    if (kind === "step") return `\n${this.#paint("bold", safe)}`;
    if (kind === "say") return `   ${safe}`;
    return style === undefined ? `inmesh    ${safe}` : `inmesh    ${this.#paint(style, safe)}`;
  }
}

/** `web>reviews 210/s 99.61% p50 4.1ms p95 9.0ms p99 14ms retry 21% v1 50% v2 50%`. */
function edgeText({ from, to, requestsPerSecond, success, p50Ms, p95Ms, p99Ms, retries, versions }: Edge): string {
  const latency = `p50 ${latencyText(p50Ms)} p95 ${latencyText(p95Ms)} p99 ${latencyText(p99Ms)}`;
  const retry = retries > 0 ? ` retry ${retryText(retries)}` : "";
  const share = versions.length > 1 ? ` ${shareText(versions)}` : "";
  return `${from}>${to} ${perSecond(requestsPerSecond)}/s ${successText(success)} ${latency}${retry}${share}`;
}
