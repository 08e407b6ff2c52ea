/**
 * A ready set-up of OpenTelemetry's SDK for processes that bring none: a provider of traces, registered for the application's
 * own spans, too, with its context manager, a batch processor, and OTLP over HTTP. All that `OTEL_*` variables say holds.
 */

import { systemRandom } from "@inmesh/core";
import { type Context, context, propagation, SpanKind, trace } from "@opentelemetry/api";
import { OTLPTraceExporter as JsonExporter } from "@opentelemetry/exporter-trace-otlp-http";
import { OTLPTraceExporter as ProtobufExporter } from "@opentelemetry/exporter-trace-otlp-proto";
import {
  BatchSpanProcessor,
  ConsoleSpanExporter,
  type IdGenerator,
  NodeTracerProvider,
  ParentBasedSampler,
  type Sampler,
  SamplingDecision,
  SimpleSpanProcessor,
  type SpanExporter,
  type SpanProcessor,
} from "@opentelemetry/sdk-trace-node";
import { newSpanId, newTraceId } from "../propagation/ids.js";
import { isSampled, type Propagators, type Sampling } from "../propagation/index.js";
import { ApiPropagator } from "../tracing/api-propagator.js";
import { type Env, type ProcessNames, resourceOf } from "./resource-of.js";
import { sayTroubles } from "./say-troubles.js";

export interface SdkOptions extends ProcessNames {
  readonly sampling: Sampling;
  readonly propagators: Propagators;
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
        idGenerator: IDS,
        ...(ownSampler && { sampler: new ParentBasedSampler({ root: new PolicySampler(sampling) }) }),
      });
      // Of what the API offers beside the provider: the context manager, and the mesh's formats for the application's own use.
      provider.register({ propagator: new ApiPropagator(options.propagators) });
    },
    flush: async (timeoutMs) => provider?.forceFlush({ timeoutMillis: timeoutMs }),
    async close() {
      if (provider === undefined) return;
      await provider.shutdown();
      for (const api of [trace, context, propagation]) api.disable();
    },
  };
}

/** The SDK's own costs twice as much. */
const IDS: IdGenerator = {
  generateTraceId: () => newTraceId(systemRandom),
  generateSpanId: () => newSpanId(systemRandom),
};

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
