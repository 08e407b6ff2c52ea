/**
 * A ready set-up of OpenTelemetry's SDK for processes that bring none: a provider of traces, registered for the application's
 * own spans, too, with its context manager, a batch processor, and OTLP over HTTP. All that `OTEL_*` variables say holds.
 */

import { inspect } from "node:util";
import { type Context, context, DiagLogLevel, diag, propagation, SpanKind, trace } from "@opentelemetry/api";
import { OTLPTraceExporter as JsonExporter } from "@opentelemetry/exporter-trace-otlp-http";
import { OTLPTraceExporter as ProtobufExporter } from "@opentelemetry/exporter-trace-otlp-proto";
import {
  defaultResource,
  detectResources,
  envDetector,
  hostDetector,
  osDetector,
  processDetector,
  type Resource,
  resourceFromAttributes,
  serviceInstanceIdDetector,
} from "@opentelemetry/resources";
import {
  BatchSpanProcessor,
  ConsoleSpanExporter,
  NodeTracerProvider,
  ParentBasedSampler,
  type Sampler,
  SamplingDecision,
  SimpleSpanProcessor,
  type SpanExporter,
  type SpanProcessor,
} from "@opentelemetry/sdk-trace-node";
import {
  ATTR_SERVICE_INSTANCE_ID,
  ATTR_SERVICE_NAME,
  ATTR_SERVICE_NAMESPACE,
  ATTR_SERVICE_VERSION,
} from "@opentelemetry/semantic-conventions";
import { isSampled, type Sampling } from "../propagation/index.js";

type Env = Readonly<Record<string, string | undefined>>;

export interface SdkOptions {
  readonly env: Env;
  readonly service: string;
  readonly namespace: string;
  readonly instance: string;
  /** Of the application; empty. */
  readonly version: string;
  readonly sampling: Sampling;
  readonly warn: (message: string) => void;
}

export interface OpenedSdk {
  /** Sampling is ours, and not what `OTEL_TRACES_SAMPLER` says. */
  readonly ownSampler: boolean;
  /** Its provider becomes the process's, once. */
  register(): void;
  /** What has ended is sent; rejects when that takes longer, or fails. */
  flush(timeoutMs: number): Promise<void>;
  /** The same, and nothing more is taken. */
  close(): Promise<void>;
}

/** Loads what is needed. Nothing is registered before `register`. */
export function openSdk(options: SdkOptions): OpenedSdk {
  const { env, sampling, warn } = options;
  const spanProcessors = processors(env, warn);
  const ownSampler = (env["OTEL_TRACES_SAMPLER"]?.trim() ?? "") === "";
  let provider: NodeTracerProvider | undefined;
  return {
    ownSampler,
    register() {
      sayTroubles(env, warn);
      provider = new NodeTracerProvider({
        spanProcessors,
        resource: resourceOf(options),
        ...(ownSampler && { sampler: new ParentBasedSampler({ root: new PolicySampler(sampling) }) }),
      });
      // Of what the API offers beside the provider: the context manager, and W3C's formats for the application's own use.
      provider.register();
    },
    flush: async (timeoutMs) => provider?.forceFlush({ timeoutMillis: timeoutMs }),
    async close() {
      if (provider === undefined) return;
      await provider.shutdown();
      for (const api of [trace, context, propagation]) api.disable();
    },
  };
}

class PolicySampler implements Sampler {
  readonly #sampling: Sampling;

  constructor(sampling: Sampling) {
    this.#sampling = sampling;
  }

  shouldSample(_context: Context, traceId: string, _name: string, kind: SpanKind): { decision: SamplingDecision } {
    const ratio = this.#sampling.ratio(kind === SpanKind.SERVER ? "server" : "client");
    return { decision: isSampled(traceId, ratio) ? SamplingDecision.RECORD_AND_SAMPLED : SamplingDecision.NOT_RECORD };
  }

  toString(): string {
    return "inmesh";
  }
}

function processors(env: Env, warn: (message: string) => void): SpanProcessor[] {
  const names = (env["OTEL_TRACES_EXPORTER"]?.trim() || "otlp").split(",").map((name) => name.trim());
  const made: SpanProcessor[] = [];
  for (const name of new Set(names)) {
    if (name === "console") made.push(new SimpleSpanProcessor(new ConsoleSpanExporter()));
    else if (name === "otlp") made.push(new BatchSpanProcessor(otlp(env, warn)));
    else warn(`OTEL_TRACES_EXPORTER: "${name}" is no exporter that inmesh has; expected otlp, console or none`);
  }
  return made;
}

/** They read `OTEL_EXPORTER_OTLP_*` themselves. */
function otlp(env: Env, warn: (message: string) => void): SpanExporter {
  const asked = env["OTEL_EXPORTER_OTLP_TRACES_PROTOCOL"] ?? env["OTEL_EXPORTER_OTLP_PROTOCOL"] ?? "";
  const protocol = asked.trim() || "http/protobuf";
  if (protocol === "http/json") return new JsonExporter();
  if (protocol !== "http/protobuf") {
    warn(
      `OTEL_EXPORTER_OTLP_PROTOCOL: "${protocol}" is none that inmesh sends; spans go by http/protobuf, usually to port 4318`,
    );
  }
  return new ProtobufExporter();
}

const DETECTORS = {
  env: envDetector,
  host: hostDetector,
  os: osDetector,
  process: processDetector,
  serviceinstance: serviceInstanceIdDetector,
} as const;

/** What the environment says stands above what the mesh knows. */
function resourceOf({ env, service, namespace, instance, version }: SdkOptions): Resource {
  const asked = (env["OTEL_NODE_RESOURCE_DETECTORS"]?.trim() || "env,host,process")
    .split(",")
    .map((name) => name.trim());
  const names = asked.includes("none") ? [] : asked.includes("all") ? Object.keys(DETECTORS) : ["env", ...asked];
  const detectors = [...new Set(names)].flatMap((name) =>
    Object.hasOwn(DETECTORS, name) ? [DETECTORS[name as keyof typeof DETECTORS]] : [],
  );
  const own = resourceFromAttributes({
    [ATTR_SERVICE_NAME]: service,
    [ATTR_SERVICE_NAMESPACE]: namespace,
    [ATTR_SERVICE_INSTANCE_ID]: instance,
    ...(version !== "" && { [ATTR_SERVICE_VERSION]: version }),
  });
  return defaultResource().merge(own).merge(detectResources({ detectors }));
}

/** What its exporter cannot do is said by the mesh's own log, and no more often than once a minute. */
function sayTroubles(env: Env, warn: (message: string) => void): void {
  let saidAt = Number.NEGATIVE_INFINITY;
  const say = (...given: unknown[]): void => {
    const now = performance.now();
    if (now - saidAt < SILENCE_MS) return;
    saidAt = now;
    warn(`OpenTelemetry: ${given.map(shown).join(" ").slice(0, LONGEST_TEXT)}`);
  };
  const quiet = (): void => {};
  const chatty = env["OTEL_LOG_LEVEL"]?.toUpperCase();
  const level = DiagLogLevel[chatty as keyof typeof DiagLogLevel] ?? DiagLogLevel.WARN;
  const loud = level > DiagLogLevel.WARN;
  const other = loud
    ? (...given: unknown[]): void => warn(`OpenTelemetry: ${given.map(shown).join(" ").slice(0, LONGEST_TEXT)}`)
    : quiet;
  diag.setLogger(
    { error: say, warn: say, info: other, debug: other, verbose: other },
    { logLevel: level, suppressOverrideMessage: true },
  );
}

const SILENCE_MS = 60_000;
const LONGEST_TEXT = 400;

function shown(part: unknown): string {
  if (part instanceof Error) return part.message;
  return typeof part === "string" ? part : inspect(part, { depth: 2, breakLength: Number.POSITIVE_INFINITY });
}
