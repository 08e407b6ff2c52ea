/** Objectives of OpenSLO v1 documents (SLO with its SLI), as far as metrics of the mesh or of Prometheus measure them. */

import { type Document, type Path, parseDurationMs } from "@inmesh/model";
import { formatPath } from "@inmesh/model/internal";

/** A counter: requests that the mesh has seen, or a selector of Prometheus. */
export type Source =
  | {
      readonly kind: "mesh";
      readonly destination: string;
      readonly reporter: "source" | "destination";
      /** RE2 over the whole of response_code; empty: every one. */
      readonly codes: string;
    }
  | { readonly kind: "prometheus"; readonly selector: string };

export type Indicator =
  | { readonly kind: "ratio"; readonly counts: "good" | "bad"; readonly part: Source; readonly total: Source }
  /** Good is what took no longer. */
  | { readonly kind: "threshold"; readonly source: Extract<Source, { kind: "mesh" }>; readonly atMostMs: number };

export interface Objective {
  readonly slo: string;
  readonly service: string;
  readonly name: string;
  /** 0–1, exclusive. */
  readonly target: number;
  readonly windowMs: number;
  readonly indicator: Indicator;
}

/** Upper bounds of Istio's histograms, in ms: nothing finer can be told. */
export const BOUNDS_MS = [
  0.5, 1, 5, 10, 25, 50, 100, 250, 500, 1_000, 2_500, 5_000, 10_000, 30_000, 60_000, 300_000, 600_000, 1_800_000,
  3_600_000,
];
const UNITS: Readonly<Record<string, number>> = { d: 86_400_000, w: 7 * 86_400_000, m: 60_000, h: 3_600_000 };
const MOST_OBJECTIVES = 500;

type Fields = Readonly<Record<string, unknown>>;

/** Why a document is not taken. */
class Fault extends Error {
  readonly path: Path;

  constructor(path: Path, message: string) {
    super(message);
    this.path = path;
  }
}

/** @param documents of `openslo/v1`; other kinds than SLO and SLI describe, and measure nothing */
export function readObjectives(documents: readonly Document[]): {
  readonly objectives: readonly Objective[];
  /** Lines: where, and what. */
  readonly problems: readonly string[];
} {
  const ours = documents.filter(({ apiVersion }) => apiVersion === "openslo/v1");
  const indicators = new Map(ours.filter(({ kind }) => kind === "SLI").map((each) => [each.name, each]));
  const objectives: Objective[] = [];
  const problems: string[] = [];
  for (const document of ours.filter(({ kind }) => kind === "SLO")) {
    try {
      objectives.push(...readSlo(document, indicators));
      if (objectives.length > MOST_OBJECTIVES) throw new Fault([], `more than ${MOST_OBJECTIVES} objectives in all`);
    } catch (error) {
      if (!(error instanceof Fault)) throw error;
      const { file } = document.origin;
      const { line } = document.origin.locate(error.path);
      problems.push(`${file}:${line} ${document.name}: ${formatPath(error.path)}: ${error.message}.`);
    }
  }
  return { objectives, problems };
}

function readSlo(document: Document, indicators: ReadonlyMap<string, Document>): Objective[] {
  const spec = object(document.value["spec"], ["spec"]);
  const service = text(spec["service"], ["spec", "service"]);
  const method = spec["budgetingMethod"] ?? "Occurrences";
  if (method !== "Occurrences")
    throw new Fault(["spec", "budgetingMethod"], `found ${String(method)}, and requests are counted here: Occurrences`);
  const [sli, sliPath] = indicatorOf(spec, indicators);
  const windowMs = readWindow(spec["timeWindow"]);
  return list(spec["objectives"], ["spec", "objectives"]).map((each, at) => {
    const path = ["spec", "objectives", at];
    const objective = object(each, path);
    const target = readTarget(objective, path);
    const name = typeof objective["displayName"] === "string" ? objective["displayName"] : `${at + 1}`;
    return {
      slo: document.name,
      service,
      name,
      target,
      windowMs,
      indicator: readIndicator(sli, sliPath, objective, path),
    };
  });
}

function indicatorOf(spec: Fields, indicators: ReadonlyMap<string, Document>): [Fields, Path] {
  if (spec["indicator"] !== undefined) {
    const indicator = object(spec["indicator"], ["spec", "indicator"]);
    return [object(indicator["spec"], ["spec", "indicator", "spec"]), ["spec", "indicator", "spec"]];
  }
  const name = text(spec["indicatorRef"], ["spec", "indicatorRef"]);
  const found = indicators.get(name);
  if (found === undefined) throw new Fault(["spec", "indicatorRef"], `there is no SLI "${name}" beside it`);
  return [object(found.value["spec"], ["spec", "indicatorRef"]), ["spec", "indicatorRef"]];
}

function readIndicator(sli: Fields, path: Path, objective: Fields, at: Path): Indicator {
  if (sli["thresholdMetric"] !== undefined) {
    const source = readSource(sli["thresholdMetric"], [...path, "thresholdMetric"]);
    if (source.kind !== "mesh")
      throw new Fault(path, "a threshold is measured on the mesh's own durations: metricSource.type is inmesh");
    const { op, value } = objective;
    if (op !== "lte" && op !== "lt") throw new Fault([...at, "op"], "good is what takes at most so long: op is lte");
    if (typeof value !== "number" || !BOUNDS_MS.includes(value))
      throw new Fault(
        [...at, "value"],
        `found ${String(value)}; histograms tell these ms apart: ${BOUNDS_MS.join(", ")}`,
      );
    return { kind: "threshold", source, atMostMs: value };
  }
  const ratio = object(sli["ratioMetric"], [...path, "ratioMetric"]);
  const counts = ratio["good"] === undefined ? "bad" : "good";
  const part = readSource(ratio[counts], [...path, "ratioMetric", counts]);
  const total = readSource(ratio["total"], [...path, "ratioMetric", "total"]);
  return { kind: "ratio", counts, part, total };
}

function readSource(value: unknown, path: Path): Source {
  const at = [...path, "metricSource"];
  const source = object(object(value, path)["metricSource"], at);
  const spec = object(source["spec"], [...at, "spec"]);
  const type = String(source["type"] ?? "").toLowerCase();
  if (type === "prometheus") {
    const selector = text(spec["query"], [...at, "spec", "query"]);
    if (/[()[\]\n]/.test(selector.replace(/"(?:[^"\\]|\\.)*"/g, "")))
      throw new Fault(
        [...at, "spec", "query"],
        'it is a selector of a counter, such as http_requests_total{code="200"}',
      );
    return { kind: "prometheus", selector };
  }
  if (type !== "inmesh")
    throw new Fault([...at, "type"], `found "${type.slice(0, 40)}", expected inmesh or Prometheus`);
  for (const field of Object.keys(spec)) {
    if (!["destination", "reporter", "codes"].includes(field))
      throw new Fault(
        [...at, "spec", field],
        `there are destination, reporter and codes, and no "${field.slice(0, 40)}"`,
      );
  }
  const reporter = spec["reporter"] ?? "destination";
  if (reporter !== "source" && reporter !== "destination")
    throw new Fault([...at, "spec", "reporter"], "it is destination, who served, or source, who called");
  const codes = spec["codes"] === undefined ? "" : text(spec["codes"], [...at, "spec", "codes"]);
  return { kind: "mesh", destination: text(spec["destination"], [...at, "spec", "destination"]), reporter, codes };
}

function readTarget({ target, targetPercent }: Fields, path: Path): number {
  const found = typeof targetPercent === "number" ? targetPercent / 100 : target;
  if (typeof found !== "number" || !(found > 0 && found < 1))
    throw new Fault(path, "target is a number between 0 and 1, such as 0.999, or targetPercent one below 100");
  return found;
}

/** One rolling window: a month's budget, by default. */
function readWindow(value: unknown): number {
  if (value === undefined) return 28 * 86_400_000;
  const path = ["spec", "timeWindow"];
  const [first, ...more] = list(value, path);
  const window = object(first, path);
  if (more.length > 0 || window["isRolling"] === false || window["calendar"] !== undefined)
    throw new Fault(path, "one rolling window is measured: [{duration: 28d, isRolling: true}]");
  const duration = text(window["duration"], [...path, 0, "duration"]);
  const [, count = "", unit = ""] = /^(\d{1,4})([dwhm])$/.exec(duration) ?? [];
  const ms = unit === "" ? parseDurationMs(duration) : Number(count) * (UNITS[unit] ?? 0);
  if (ms === undefined || ms < 3_600_000) throw new Fault(path, `"${duration.slice(0, 40)}" is no time such as 28d`);
  return ms;
}

function object(value: unknown, path: Path): Fields {
  if (typeof value === "object" && value !== null && !Array.isArray(value)) return value as Fields;
  throw new Fault(path, `an object is missing at ${path.join(".")}`);
}

function list(value: unknown, path: Path): readonly unknown[] {
  if (Array.isArray(value) && value.length > 0) return value;
  throw new Fault(path, `a list is missing at ${path.join(".")}`);
}

function text(value: unknown, path: Path): string {
  if (typeof value === "string" && value !== "" && value.length <= 1_000) return value;
  throw new Fault(path, `a text is missing at ${path.join(".")}`);
}
