/** What a span costs a call: the engine over a null transport, and the least that OpenTelemetry's own SDK takes for one. */

import { Call, Engine, SnapshotStore, systemRandom } from "@inmesh/core";
import { NO_TELEMETRY_POLICY } from "@inmesh/model";
import { PlainTracing, Propagators, Sampling } from "@inmesh/telemetry";
import { ProcessTracer, Redaction, SpanTracing } from "@inmesh/telemetry/tracing";
import { type Attributes, SpanKind, trace } from "@opentelemetry/api";
import {
  AlwaysOffSampler,
  AlwaysOnSampler,
  NodeTracerProvider,
  type ReadableSpan,
  type Sampler,
  type SpanProcessor,
} from "@opentelemetry/sdk-trace-node";
import { type LoopResult, loop } from "../lib/loop.js";
import { manyRoutes, resources, snapshot, workloads } from "../lib/policy.js";
import type { Report } from "../lib/table.js";
import { nullExchange } from "./pipeline.js";

const HEADERS = ["accept", "application/json", "user-agent", "bench", "x-user", "ann"];

export async function spans(): Promise<Report> {
  const store = new SnapshotStore();
  const engine = new Engine({ store });
  store.publish(snapshot(resources(manyRoutes(100)), workloads("reviews", 20)));
  const call = (): void => {
    engine.start(new Call(nullExchange, "GET", "http", "reviews", 80, "reviews", "/api/v1/resource42/7", HEADERS));
  };
  const without = loop(call);

  const kept: { last: ReadableSpan | undefined } = { last: undefined };
  const rows = [row("no spans", without)];
  for (const [what, sampler] of [
    ["a span that is not recorded", new AlwaysOffSampler()],
    ["a span that is recorded", new AlwaysOnSampler()],
  ] as const) {
    const provider = register(sampler, kept);
    engine.tracing = tracing();
    rows.push(row(what, loop(call), without));
    engine.tracing = undefined;
    if (sampler instanceof AlwaysOnSampler) rows.push(row("OpenTelemetry alone: its twin", floor(kept)));
    await provider.shutdown();
    trace.disable();
  }
  engine.close();
  return {
    bench: "spans of calls over a null transport",
    rows,
    notes: [
      "goal: a span that is recorded adds <= 8,000 ns; its twin has the same name and attributes, and nothing else",
    ],
  };
}

function register(sampler: Sampler, kept: { last: ReadableSpan | undefined }): NodeTracerProvider {
  const processor: SpanProcessor = {
    onStart() {},
    onEnd(span) {
      kept.last = span;
    },
    forceFlush: () => Promise.resolve(),
    shutdown: () => Promise.resolve(),
  };
  const provider = new NodeTracerProvider({ sampler, spanProcessors: [processor] });
  provider.register();
  return provider;
}

function tracing(): SpanTracing {
  const propagators = new Propagators();
  const sampling = new Sampling({ policy: () => undefined, ratio: 1 });
  const believes = (): boolean => true;
  const propagates = (): boolean => true;
  const tracer = new ProcessTracer("bench").current;
  if (tracer === undefined) throw new Error("no provider is registered");
  return new SpanTracing(tracer, {
    ...{ mode: "auto", propagators, sampling, believes, env: {}, envoyTags: false },
    plain: new PlainTracing({ propagators, sampling, believes, propagates, random: systemRandom }),
    policy: (side) => NO_TELEMETRY_POLICY[side].tracing,
    redaction: new Redaction(),
    istioTags: {
      ...{ "istio.canonical_service": "web", "istio.canonical_revision": "latest", "istio.namespace": "shop" },
      ...{ "istio.mesh_id": "cluster.local", "istio.cluster_id": "default" },
    },
    servedBelow: () => false,
    ownSdk: true,
    ownSampler: false,
  });
}

/** One span with the attributes that the mesh's last one has. */
function floor({ last }: { readonly last: ReadableSpan | undefined }): LoopResult {
  if (last === undefined) throw new Error("nothing was recorded");
  const attributes: Attributes = { ...last.attributes };
  const tracer = trace.getTracer("bench");
  return loop(() => {
    const span = tracer.startSpan("GET", { kind: SpanKind.CLIENT });
    span.setAttributes(attributes);
    for (const event of last.events) span.addEvent(event.name, event.attributes);
    span.end();
    return span;
  });
}

function row(what: string, { medianNs, bestNs, bytes }: LoopResult, base?: LoopResult) {
  return {
    what,
    "median ns": medianNs.toFixed(0),
    "best ns": bestNs.toFixed(0),
    "adds ns": base === undefined ? "-" : (medianNs - base.medianNs).toFixed(0),
    bytes: bytes?.toFixed(0) ?? "-",
  };
}
