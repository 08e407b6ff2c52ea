/** Objectives measured on what processes of the mesh have counted: their `/stats/prometheus`, added up. */

import { compileRegex } from "@inmesh/model/internal";
import type { Objective, Source } from "./objective.js";

export interface Sample {
  readonly name: string;
  readonly labels: ReadonlyMap<string, string>;
  readonly value: number;
}

export interface Events {
  readonly total: number;
  readonly bad: number;
}

const WANTED = /^(istio_requests_total|istio_request_duration_milliseconds_(?:bucket|count))\{(.*)\} (\S+)/;
const LABEL = /([a-zA-Z_]\w*)="((?:[^"\\]|\\.)*)"/g;
const MOST_SAMPLES = 1_000_000;

/** Lines of Prometheus's text that objectives are made of. */
export function readSamples(text: string): readonly Sample[] {
  const samples: Sample[] = [];
  for (const line of text.split("\n")) {
    const [, name = "", inside = "", value = ""] = WANTED.exec(line) ?? [];
    if (name === "" || samples.length >= MOST_SAMPLES) continue;
    const labels = new Map<string, string>();
    for (const [, label = "", quoted = ""] of inside.matchAll(LABEL)) {
      labels.set(
        label,
        quoted.replace(/\\(.)/g, (_, char: string) => (char === "n" ? "\n" : char)),
      );
    }
    samples.push({ name, labels, value: Number(value) });
  }
  return samples;
}

/** @returns undefined for what only Prometheus can tell */
export function eventsOf({ indicator }: Objective, samples: readonly Sample[]): Events | undefined {
  if (indicator.kind === "threshold") {
    const base = "istio_request_duration_milliseconds";
    const { source, atMostMs } = indicator;
    const total = sum(samples, source, `${base}_count`);
    const good = sum(samples, source, `${base}_bucket`, atMostMs);
    return { total, bad: Math.max(0, total - good) };
  }
  const { counts, part, total } = indicator;
  if (part.kind !== "mesh" || total.kind !== "mesh") return undefined;
  const all = sum(samples, total, "istio_requests_total");
  const some = sum(samples, part, "istio_requests_total");
  return { total: all, bad: counts === "bad" ? some : Math.max(0, all - some) };
}

function sum(
  samples: readonly Sample[],
  { destination, reporter, codes }: Extract<Source, { kind: "mesh" }>,
  name: string,
  bound?: number,
): number {
  const isCode = codes === "" ? () => true : compileRegex(codes);
  let total = 0;
  for (const { name: each, labels, value } of samples) {
    if (each !== name || labels.get("destination_service") !== destination || labels.get("reporter") !== reporter)
      continue;
    if (bound !== undefined && Number(labels.get("le")) !== bound) continue;
    if (isCode(labels.get("response_code") ?? "")) total += value;
  }
  return total;
}

/** 1: the budget lasts exactly as long as its window. Undefined without any event. */
export function burnRate({ total, bad }: Events, target: number): number | undefined {
  return total === 0 ? undefined : bad / total / (1 - target);
}

export function difference(after: Events, before: Events): Events {
  // A process that began anew counts from 0.
  return { total: Math.max(0, after.total - before.total), bad: Math.max(0, after.bad - before.bad) };
}
