/** What the HTTP connection managers of listeners say of traces and access logs, for calls and for the process's own servers. */

import {
  type AccessLogPolicy,
  CelFault,
  type CustomTag,
  compileCel,
  type LogProvider,
  NO_TELEMETRY_POLICY,
  type TelemetryPolicy,
} from "@inmesh/model";
import type { DiscoveredListener, HttpManager } from "./listener.js";
import type { Findings } from "./refusal.js";
import { type AnyMessage, anyOf, anyType, type Fields } from "./schema.js";

type Percent = Fields<{ value: number }>;
type Tag = Fields<{
  tag: string;
  literal: Fields<{ value: string }>;
  environment: Fields<{ name: string; default_value: string }>;
  request_header: Fields<{ name: string; default_value: string }>;
}>;

export type Tracing = Fields<{
  client_sampling: Percent;
  random_sampling: Percent;
  overall_sampling: Percent;
  custom_tags: readonly Tag[];
}>;

type Comparison = Fields<{ op: string | number; value: Fields<{ default_value: number }> }>;
export type AccessLog = Fields<{
  name: string;
  filter: Fields<{
    extension_filter: Fields<{ typed_config: AnyMessage }>;
    status_code_filter: Fields<{ comparison: Comparison }>;
  }>;
  typed_config: AnyMessage;
}>;

type Json = Readonly<Record<string, unknown>>;
type FileLog = Fields<{
  path: string;
  format: string;
  json_format: Json;
  typed_json_format: Json;
  log_format: Fields<{
    text_format: string;
    json_format: Json;
    text_format_source: Fields<{ inline_string: string; inline_bytes: Uint8Array }>;
    omit_empty_values: boolean;
  }>;
}>;

/** Of one listener. */
export interface ListenerTelemetry {
  /** 0–1; undefined: it says nothing of traces. */
  readonly samplingRatio: number | undefined;
  readonly tags: readonly CustomTag[];
  /** Istio's own, which the process knows how to write itself. */
  readonly istioTags: boolean;
  readonly logs: readonly AccessLogPolicy[];
}

const LOGGERS = "envoy.extensions.access_loggers";
const OPERATORS: Readonly<Record<string, string>> = { EQ: "==", GE: ">=", LE: "<=" };

/** @returns undefined where it says nothing */
export function listenerTelemetry(manager: HttpManager, findings: Findings): ListenerTelemetry | undefined {
  const { tracing, access_log = [] } = manager;
  if (tracing === undefined && access_log.length === 0) return undefined;
  const tags = tracing?.custom_tags ?? [];
  const own = tags.filter(({ tag = "" }) => !tag.startsWith("istio."));
  return {
    samplingRatio: tracing && share(tracing.random_sampling) * share(tracing.overall_sampling),
    tags: own.flatMap((tag) => customTag(tag, findings)),
    istioTags: tracing === undefined || own.length < tags.length,
    logs: access_log.flatMap((log) => accessLog(log, findings)),
  };
}

/** Envoy traces all where nothing is written. */
function share({ value = 0 }: Percent = { value: 100 }): number {
  return Math.min(1, Math.max(0, value / 100));
}

function customTag({ tag = "", literal, environment, request_header: header }: Tag, findings: Findings): CustomTag[] {
  if (literal !== undefined) return [{ kind: "literal", name: tag, value: literal.value ?? "" }];
  if (environment !== undefined) {
    const { name: variable = "", default_value: fallback = "" } = environment;
    return [{ kind: "environment", name: tag, variable, fallback }];
  }
  if (header !== undefined) {
    const { name = "", default_value: fallback = "" } = header;
    return [{ kind: "header", name: tag, header: name.toLowerCase(), fallback }];
  }
  findings.notHonoured(`tracing.custom_tags ${tag}`);
  return [];
}

function accessLog({ name = "", filter, typed_config }: AccessLog, findings: Findings): AccessLogPolicy[] {
  const provider = logProvider(typed_config);
  if (provider === undefined) {
    findings.notHonoured(`access_log ${name} (${anyType(typed_config) || "no type"})`);
    return [];
  }
  if (filter === undefined) return [{ provider }];
  try {
    const text = filterText(filter);
    if (text !== undefined) return [{ provider, filter: compileCel(text) }];
  } catch (error) {
    if (!(error instanceof CelFault)) throw error;
  }
  findings.notHonoured(`access_log ${name} with a filter that is not known: it is not written`);
  return [];
}

/** As an expression. */
function filterText({ extension_filter, status_code_filter }: NonNullable<AccessLog["filter"]>): string | undefined {
  const cel = anyOf<{ expression: string }>(
    extension_filter?.typed_config,
    `${LOGGERS}.filters.cel.v3.ExpressionFilter`,
  );
  if (cel !== undefined) return cel.expression;
  if (status_code_filter === undefined) return undefined;
  const { op = "EQ", value } = status_code_filter.comparison ?? {};
  const operator = OPERATORS[String(op)];
  return operator && `response.code ${operator} ${value?.default_value ?? 0}`;
}

function logProvider(any: AnyMessage | undefined): LogProvider | undefined {
  const spec = anyOf<FileLog>(any, `${LOGGERS}.file.v3.FileAccessLog`);
  if (spec === undefined) return undefined;
  const { path = "", log_format: written } = spec;
  const source = written?.text_format_source;
  const bytes = source?.inline_bytes && Buffer.from(source.inline_bytes).toString();
  const text = spec.format ?? written?.text_format ?? source?.inline_string ?? bytes;
  const json = spec.json_format ?? spec.typed_json_format ?? written?.json_format;
  const format = json ?? text;
  return {
    ...{ name: path, kind: "file", path, encoding: json === undefined ? "text" : "json" },
    ...(format !== undefined && { format }),
  };
}

/** Of all listeners: istiod says the same in each; where they differ, the first that says something counts. */
export function telemetryPolicy(listeners: Iterable<DiscoveredListener>): TelemetryPolicy {
  let client: ListenerTelemetry | undefined;
  let server: ListenerTelemetry | undefined;
  for (const { kind, telemetry } of listeners) {
    if (kind === "inbound") server ??= telemetry;
    else client ??= telemetry;
  }
  if (client === undefined && server === undefined) return NO_TELEMETRY_POLICY;
  return { client: side(client, NO_TELEMETRY_POLICY.client), server: side(server, NO_TELEMETRY_POLICY.server) };
}

function side(told: ListenerTelemetry | undefined, unsaid: TelemetryPolicy["client"]): TelemetryPolicy["client"] {
  if (told === undefined) return unsaid;
  const { samplingRatio, tags, istioTags, logs } = told;
  const tracing = { ...unsaid.tracing, tags, istioTags, ...(samplingRatio !== undefined && { samplingRatio }) };
  return { ...unsaid, tracing, accessLogs: logs };
}
