/** Telemetry resources of one workload, merged by level and compiled for both its sides. policy-semantics §3.7. */

import { compileCel, valuelessCel } from "../cel/compile.js";
import type { CelExpression } from "../cel/expression.js";
import { CelFault } from "../cel/fault.js";
import { hasTargets } from "../kind/policy-target.js";
import type { CustomTagSpec, MetricName, TelemetrySpec } from "../kind/telemetry.js";
import { formatPath } from "../problem-at.js";
import type { Path, Resource } from "../resource.js";
import type { RuleRef } from "../snapshot/route.js";
import {
  type AccessLogPolicy,
  type CustomTag,
  type MetricsPolicy,
  type ModeTelemetry,
  NO_TELEMETRY_POLICY,
  type StandardMetric,
  type TagOverride,
  type TelemetryPolicy,
  type TracingPolicy,
} from "../snapshot/telemetry.js";
import { durationMs } from "./duration-ms.js";
import { hasLabels } from "./labels.js";
import { sameList } from "./order.js";
import { type SelectedWorkload, selectorOf } from "./security-documents.js";
import type { TelemetrySettings } from "./telemetry-settings.js";

export type TelemetryDocument = Resource<TelemetrySpec>;

/** A policy beside what it was made of. */
export interface CompiledTelemetry {
  readonly policy: TelemetryPolicy;
  readonly documents: readonly TelemetryDocument[];
  readonly settings: TelemetrySettings;
}

type Side = "CLIENT" | "SERVER";

const REPORTING_MS = 5_000;

export const STANDARD_METRICS: Readonly<Record<Exclude<MetricName, "ALL_METRICS">, StandardMetric>> = {
  REQUEST_COUNT: "requests_total",
  REQUEST_DURATION: "request_duration_milliseconds",
  REQUEST_SIZE: "request_bytes",
  RESPONSE_SIZE: "response_bytes",
  TCP_OPENED_CONNECTIONS: "tcp_connections_opened_total",
  TCP_CLOSED_CONNECTIONS: "tcp_connections_closed_total",
  TCP_SENT_BYTES: "tcp_sent_bytes_total",
  TCP_RECEIVED_BYTES: "tcp_received_bytes_total",
  GRPC_REQUEST_MESSAGES: "request_messages_total",
  GRPC_RESPONSE_MESSAGES: "response_messages_total",
};
const ALL_METRICS = Object.values(STANDARD_METRICS);

/** @param documents all Telemetries, oldest first @returns `previous` itself when nothing changed */
export function compileTelemetry(
  documents: readonly TelemetryDocument[],
  workload: SelectedWorkload,
  { settings, rootNamespace }: { readonly settings: TelemetrySettings; readonly rootNamespace: string },
  previous: CompiledTelemetry | undefined,
): CompiledTelemetry {
  const own = sameList(previous?.documents, telemetryOf(documents, workload, rootNamespace));
  if (previous !== undefined && own === previous.documents && settings === previous.settings) return previous;
  const side = (name: Side): ModeTelemetry => ({
    tracing: mergeTracing(own, settings, name),
    metrics: mergeMetrics(own, name),
    accessLogs: mergeLogs(own, settings, name),
  });
  const nothing = own.length === 0 && saysNothing(settings);
  const policy = nothing ? NO_TELEMETRY_POLICY : { client: side("CLIENT"), server: side("SERVER") };
  return { policy, documents: own, settings };
}

/** Those that hold for a workload, the widest level first: later ones override. */
export function telemetryOf(
  documents: readonly TelemetryDocument[],
  { namespace, labels }: SelectedWorkload,
  rootNamespace: string,
): readonly TelemetryDocument[] {
  const own = documents.filter((document) => document.namespace === namespace && !hasTargets(document.spec));
  const root = documents.find(
    (document) => document.namespace === rootNamespace && !hasTargets(document.spec) && !selects(document),
  );
  const wide = own.find((document) => !selects(document));
  const narrow = own.filter((document) => selects(document) && hasLabels(labels, selectorOf(document)));
  return [root, wide === root ? undefined : wide, ...narrow].flatMap((document) => document ?? []);
}

function selects(document: TelemetryDocument): boolean {
  return Object.keys(selectorOf(document)).length > 0;
}

function saysNothing(settings: TelemetrySettings): boolean {
  const { meshLog, defaultLogs, enableTracing, samplingRatio, customTags, istioTags, defaultTracers } = settings;
  const quiet = meshLog === undefined && defaultLogs.length === 0 && defaultTracers.length === 0;
  return quiet && enableTracing && istioTags && samplingRatio === undefined && Object.keys(customTags).length === 0;
}

interface Entry<Spec> {
  readonly document: TelemetryDocument;
  readonly spec: Spec;
  readonly path: Path;
}

/** Entries of a list that are for this side. */
function* entriesOf<Field extends "tracing" | "accessLogging">(
  documents: readonly TelemetryDocument[],
  field: Field,
  side: Side,
): Generator<Entry<NonNullable<TelemetrySpec[Field]>[number]>> {
  for (const document of documents) {
    for (const [index, spec] of (document.spec[field] ?? []).entries()) {
      if (isFor(spec.match?.mode, side)) yield { document, spec, path: ["spec", field, index] };
    }
  }
}

function isFor(mode: string | undefined, side: Side): boolean {
  return mode === undefined || mode === "CLIENT_AND_SERVER" || mode === side;
}

function mergeTracing(documents: readonly TelemetryDocument[], settings: TelemetrySettings, side: Side): TracingPolicy {
  let tracers = settings.defaultTracers;
  let reports = true;
  let percent: number | undefined;
  let tags: Readonly<Record<string, CustomTagSpec>> = settings.customTags;
  let { istioTags } = settings;
  let propagates = true;
  let resource: RuleRef | undefined;
  for (const { spec, document, path } of entriesOf(documents, "tracing", side)) {
    if ((spec.providers ?? []).length > 0) tracers = (spec.providers ?? []).flatMap(({ name }) => name ?? []);
    reports = spec.disableSpanReporting === undefined ? reports : !spec.disableSpanReporting;
    percent = spec.randomSamplingPercentage ?? percent;
    tags = spec.customTags ?? tags;
    istioTags = spec.enableIstioTags ?? istioTags;
    propagates = spec.disableContextPropagation === undefined ? propagates : !spec.disableContextPropagation;
    resource = refOf(document, path);
  }
  const [tracer] = tracers;
  const known = tracer === undefined || settings.tracers.has(tracer.toLowerCase());
  const asked = resource !== undefined || tracer !== undefined || settings.enableTracing;
  const samplingRatio = percent === undefined ? settings.samplingRatio : percent / 100;
  return {
    disabled: !reports || !known || !asked,
    ...(samplingRatio !== undefined && { samplingRatio }),
    tags: Object.entries(tags).flatMap(([name, tag]) => customTag(name, tag) ?? []),
    istioTags,
    propagates,
    ...(resource && { resource }),
  };
}

function customTag(name: string, { literal, environment, header, formatter }: CustomTagSpec): CustomTag | undefined {
  if (literal !== undefined) return { kind: "literal", name, value: literal.value ?? "" };
  if (environment !== undefined) {
    const { name: variable = "", defaultValue = "" } = environment;
    return { kind: "environment", name, variable, fallback: defaultValue };
  }
  if (header !== undefined) {
    return { kind: "header", name, header: (header.name ?? "").toLowerCase(), fallback: header.defaultValue ?? "" };
  }
  return formatter && { kind: "formatter", name, format: formatter.value ?? "" };
}

function mergeMetrics(documents: readonly TelemetryDocument[], side: Side): MetricsPolicy {
  const disabled = new Set<StandardMetric>();
  const tags = new Map<StandardMetric, Map<string, TagOverride>>();
  let reportingMs = REPORTING_MS;
  for (const { spec } of documents) {
    for (const { overrides, reportingInterval } of spec.metrics ?? []) {
      reportingMs = durationMs(reportingInterval, reportingMs);
      for (const { match, disabled: off, tagOverrides = {} } of overrides ?? []) {
        if (!isFor(match?.mode, side)) continue;
        const made = Object.entries(tagOverrides).map(([tag, { operation, value = "" }]): TagOverride => {
          return operation === "REMOVE" ? { tag } : { tag, value: expression(value) };
        });
        for (const metric of metricsMeant(match)) {
          if (off === true) disabled.add(metric);
          else if (off === false) disabled.delete(metric);
          if (made.length === 0) continue;
          const ofMetric = tags.get(metric) ?? new Map<string, TagOverride>();
          for (const override of made) ofMetric.set(override.tag, override);
          tags.set(metric, ofMetric);
        }
      }
    }
  }
  return { disabled, tags: new Map([...tags].map(([metric, each]) => [metric, [...each.values()]])), reportingMs };
}

/** All of them where nothing is named, or what is none of Istio's stands there. */
function metricsMeant(
  match: { readonly metric?: MetricName | undefined; readonly customMetric?: string | undefined } | undefined,
): readonly StandardMetric[] {
  const { metric, customMetric } = match ?? {};
  if (customMetric !== undefined) return standardMetric(customMetric) ?? [];
  return metric === undefined || metric === "ALL_METRICS" ? ALL_METRICS : [STANDARD_METRICS[metric]];
}

/** `requests_total` or `istio_requests_total`. */
export function standardMetric(name: string): readonly [StandardMetric] | undefined {
  const found = ALL_METRICS.find((metric) => metric === name || `istio_${metric}` === name);
  return found && [found];
}

function mergeLogs(
  documents: readonly TelemetryDocument[],
  settings: TelemetrySettings,
  side: Side,
): readonly AccessLogPolicy[] {
  const says = documents.some(({ spec }) => (spec.accessLogging ?? []).length > 0);
  if (!says && settings.defaultLogs.length === 0) {
    return settings.meshLog === undefined ? [] : [{ provider: settings.meshLog }];
  }
  const entries = [...entriesOf(documents, "accessLogging", side)];
  let inForce = settings.defaultLogs;
  for (const document of documents) {
    const named = entries.filter((entry) => entry.document === document).flatMap(({ spec }) => namesIn(spec));
    if (named.length > 0) inForce = [...new Set(named)];
  }
  return inForce.flatMap((name): AccessLogPolicy[] => {
    const provider = settings.logs.get(name.toLowerCase());
    if (provider === undefined) return []; // analyze has said so
    const about = entries.filter(({ spec }) => namesIn(spec).length === 0 || namesIn(spec).includes(name));
    const last = about.at(-1);
    if (last === undefined) return [{ provider }];
    if (last.spec.disabled === true) return [];
    const filter = last.spec.filter?.expression;
    return [
      {
        provider,
        ...(filter !== undefined && { filter: expression(filter) }),
        resource: refOf(last.document, last.path),
      },
    ];
  });
}

function namesIn(spec: { readonly providers?: readonly { readonly name?: string | undefined }[] | undefined }) {
  return (spec.providers ?? []).flatMap(({ name }) => name ?? []);
}

/** Validation has said what is wrong with one that is not evaluated. */
function expression(source: string): CelExpression {
  try {
    return compileCel(source);
  } catch (error) {
    if (error instanceof CelFault) return valuelessCel(source);
    throw error;
  }
}

function refOf({ kind, namespace, name }: TelemetryDocument, path: Path): RuleRef {
  return { resource: { kind, namespace, name }, path: formatPath(path) };
}
