/** Objectives as rules of Prometheus: error ratios over windows, and alerts by burn rate over two windows each. */

import type { Objective, Source } from "./objective.js";

const HOUR = 3_600_000;

/** Part of the whole budget that may be gone within `longMs`; `shortMs` makes the alert end soon. Those of Google's SRE workbook. */
const ALERTS = [
  { severity: "page", budget: 0.02, longMs: HOUR, shortMs: HOUR / 12 },
  { severity: "page", budget: 0.05, longMs: 6 * HOUR, shortMs: HOUR / 2 },
  { severity: "ticket", budget: 0.1, longMs: 24 * HOUR, shortMs: 2 * HOUR },
  { severity: "ticket", budget: 0.1, longMs: 72 * HOUR, shortMs: 6 * HOUR },
] as const;

/** YAML of a rule file. Strings are JSON, which YAML contains. */
export function rulesOf(objectives: readonly Objective[]): string {
  const lines = ["# Written by inmesh slo rules.", "groups:"];
  for (const objective of objectives) {
    const { slo, name, service, target, windowMs } = objective;
    const labels = `{slo: ${q(slo)}, objective: ${q(name)}, service: ${q(service)}}`;
    const alerts = ALERTS.filter(({ longMs, budget }) => {
      const burn = (budget * windowMs) / longMs;
      return longMs < windowMs && burn * (1 - target) < 1; // more than all requests cannot fail
    });
    const windows = [...new Set(alerts.flatMap(({ longMs, shortMs }) => [shortMs, longMs]))].sort((a, b) => a - b);
    lines.push(`  - name: ${q(`slo:${slo}:${name}`)}`, "    rules:");
    for (const window of [...windows, windowMs]) {
      lines.push(`      - record: ${recordOf(window)}`, `        expr: ${q(errorRatio(objective, promTime(window)))}`);
      lines.push(`        labels: ${labels}`);
    }
    const selector = `{slo=${q(slo)},objective=${q(name)}}`;
    for (const { severity, budget, longMs, shortMs } of alerts) {
      const burn = Number(((budget * windowMs) / longMs).toPrecision(6));
      const above = (ms: number): string =>
        `${recordOf(ms)}${selector} > ${burn} * ${Number((1 - target).toPrecision(9))}`;
      lines.push(`      - alert: SloBurnsTooFast`, `        expr: ${q(`${above(longMs)} and ${above(shortMs)}`)}`);
      // The objective, too: to promtool two of one service would be the same rule twice.
      const of = `slo: ${q(slo)}, objective: ${q(name)}, service: ${q(service)}`;
      lines.push(`        labels: {severity: ${severity}, long_window: ${promTime(longMs)}, ${of}}`);
      const summary = `${slo} (${name}) of ${service} spends its error budget ${burn} times too fast`;
      lines.push(`        annotations: {summary: ${q(summary)}}`);
    }
  }
  return `${objectives.length === 0 ? "groups: []" : lines.join("\n")}\n`;
}

const recordOf = (ms: number): string => `slo:sli_error:ratio_rate${promTime(ms)}`;

function errorRatio({ indicator }: Objective, window: string): string {
  if (indicator.kind === "threshold") {
    const { source, atMostMs } = indicator;
    const base = "istio_request_duration_milliseconds";
    const le = `le=~${q(`${String(atMostMs).replace(".", "\\.")}${Number.isInteger(atMostMs) ? "(\\.0)?" : ""}`)}`;
    const good = `sum(rate(${selectorOf(source, `${base}_bucket`, le)}[${window}]))`;
    return `1 - (${good} / sum(rate(${selectorOf(source, `${base}_count`)}[${window}])))`;
  }
  const { counts, part, total } = indicator;
  const rate = (source: Source): string => `sum(rate(${selectorOf(source, "istio_requests_total")}[${window}]))`;
  const share = `(${rate(part)} or vector(0)) / ${rate(total)}`;
  return counts === "bad" ? share : `1 - (${share})`;
}

function selectorOf(source: Source, metric: string, more = ""): string {
  if (source.kind === "prometheus") return source.selector;
  const { destination, reporter, codes } = source;
  const labels = [`reporter=${q(reporter)}`, `destination_service=${q(destination)}`];
  if (codes !== "") labels.push(`response_code=~${q(codes)}`);
  return `${metric}{${[...labels, ...(more === "" ? [] : [more])].join(",")}}`;
}

function promTime(ms: number): string {
  if (ms % (24 * HOUR) === 0) return `${ms / (24 * HOUR)}d`;
  return ms % HOUR === 0 ? `${ms / HOUR}h` : `${Math.round(ms / 60_000)}m`;
}

const q = (text: string): string => JSON.stringify(text);
