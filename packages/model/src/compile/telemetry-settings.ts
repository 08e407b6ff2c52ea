/** What MeshConfig says of traces, metrics and access logs: the providers that Telemetry resources name, and defaults. */

import { canonicalJson } from "../document/content-hash.js";
import type { MeshConfigSpec } from "../kind/mesh-config.js";
import type { CustomTagSpec } from "../kind/telemetry.js";
import type { LogProvider } from "../snapshot/telemetry.js";

export interface TelemetrySettings {
  /** By name in lower case: names are compared without case. */
  readonly logs: ReadonlyMap<string, LogProvider>;
  readonly tracers: ReadonlySet<string>;
  readonly defaultLogs: readonly string[];
  /** Where nobody names one. */
  readonly defaultTracers: readonly string[];
  /** `accessLogFile`: in force where neither a Telemetry nor a default provider is. */
  readonly meshLog: LogProvider | undefined;
  readonly enableTracing: boolean;
  /** 0–1. */
  readonly samplingRatio: number | undefined;
  readonly customTags: Readonly<Record<string, CustomTagSpec>>;
  readonly istioTags: boolean;
  /** Of the fields it is made of. */
  readonly content: string;
}

const STDOUT = "/dev/stdout";
const TRACERS = ["zipkin", "lightstep", "datadog", "stackdriver", "opencensus", "skywalking", "opentelemetry"] as const;

/** @param previous stays, where it says the same */
export function compileTelemetrySettings(
  spec: MeshConfigSpec,
  previous: TelemetrySettings | undefined,
): TelemetrySettings {
  const { extensionProviders = [], defaultProviders, enableTracing, defaultConfig } = spec;
  const { accessLogFile = "", accessLogFormat, accessLogEncoding, defaultConfig: _, ...rest } = spec;
  const tracing = defaultConfig?.tracing;
  const content = canonicalJson({
    accessLog: [accessLogFile, accessLogFormat, accessLogEncoding],
    tracing,
    enableTracing,
    defaultProviders,
    extensionProviders: rest.extensionProviders,
  });
  if (content === previous?.content) return previous;
  const ofMesh = meshProvider(spec, accessLogFile || STDOUT);
  const logs = new Map<string, LogProvider>([["envoy", ofMesh]]);
  const tracers = new Set<string>(["stackdriver"]);
  for (const provider of extensionProviders) {
    const name = (provider.name ?? "").toLowerCase();
    const log = logProvider(provider);
    if (log !== undefined) logs.set(name, log);
    if (TRACERS.some((kind) => provider[kind] !== undefined)) tracers.add(name);
  }
  const sampling = tracing?.sampling ?? 0;
  return {
    logs,
    tracers,
    defaultLogs: defaultProviders?.accessLogging ?? [],
    defaultTracers: defaultProviders?.tracing ?? [],
    meshLog: accessLogFile === "" ? undefined : ofMesh,
    enableTracing: enableTracing !== false,
    // Istio: 0 says nothing, and more than all means its 1 %.
    samplingRatio: sampling === 0 ? undefined : sampling < 0 || sampling > 100 ? 0.01 : sampling / 100,
    customTags: tracing?.customTags ?? {},
    istioTags: tracing?.enableIstioTags !== false,
    content,
  };
}

/** The provider `envoy` is there without being defined, and writes as the mesh's own fields say. */
function meshProvider({ accessLogFormat, accessLogEncoding }: MeshConfigSpec, path: string): LogProvider {
  const encoding = accessLogEncoding === "JSON" ? "json" : "text";
  const format = accessLogFormat ? (encoding === "json" ? parsedObject(accessLogFormat) : accessLogFormat) : undefined;
  return { name: "envoy", kind: "file", path, encoding, ...(format !== undefined && { format }) };
}

function parsedObject(json: string): Readonly<Record<string, unknown>> | undefined {
  try {
    const value: unknown = JSON.parse(json);
    const isObject = typeof value === "object" && value !== null && !Array.isArray(value);
    return isObject ? (value as Record<string, unknown>) : undefined;
  } catch {
    return undefined; // validation has warned
  }
}

function logProvider({
  name = "",
  envoyFileAccessLog: file,
  envoyOtelAls: otel,
}: NonNullable<MeshConfigSpec["extensionProviders"]>[number]): LogProvider | undefined {
  const spec = file ?? otel;
  if (spec === undefined) return undefined;
  const { text, labels } = spec.logFormat ?? {};
  if (file === undefined) {
    return {
      name,
      kind: "otel",
      path: "",
      encoding: "json",
      ...(labels && { format: labels }),
      ...(text && { body: text }),
    };
  }
  const format = labels ?? (text || undefined);
  return {
    name,
    kind: "file",
    path: file.path || STDOUT,
    encoding: labels === undefined ? "text" : "json",
    ...(format !== undefined && { format }),
  };
}
