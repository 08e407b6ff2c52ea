/**
 * Spans and trace contexts of one mesh. What is always there reads and writes headers; OpenTelemetry is loaded when the process
 * has it already, or when its variables ask for spans to be sent and nobody else does it.
 */

import Module from "node:module";
import {
  type Call,
  type InboundContext,
  type InboundHead,
  messageOf,
  systemRandom,
  type Timer,
  type TraceSpan,
  type Tracing,
} from "@inmesh/core";
import { atProcess } from "@inmesh/core/internal";
import { isInstrumentedBelow } from "@inmesh/http/server";
import { type ModeTelemetry, NO_TELEMETRY_POLICY } from "@inmesh/model";
import { exportAsked, PlainTracing, Propagators, Sampling, type Side } from "@inmesh/telemetry";
import type { OpenedSdk } from "@inmesh/telemetry/sdk";
import type { SpanTracing } from "@inmesh/telemetry/tracing";
import type { DataPlane } from "../plane/data-plane.js";
import { trusts } from "../plane/trusts.js";
import { VERSION } from "../version.js";
import type { TelemetryPart } from "./telemetry.js";

/** Where every copy of @opentelemetry/api 1.x keeps what has been registered. */
const OTEL_GLOBAL = Symbol.for("opentelemetry.js.api.1");
const require = Module.createRequire(import.meta.url);
const PERCENT = 100;
/** The application's own spans wait no longer for a provider of ours. */
const DECIDE_MS = 2_000;
/** For a backend that does not answer, in ms. */
const LAST_FLUSH_MS = 2_000;

/** Once; a second time does nothing. */
export function openTracing(plane: DataPlane): void {
  if (plane.settings.tracing === "off" || plane.engine.tracing !== undefined) return;
  const tracing = new ProcessTracing(plane);
  plane.engine.tracing = tracing;
  plane.telemetry.add(tracing);
}

class ProcessTracing implements Tracing, TelemetryPart {
  readonly #plane: DataPlane;
  readonly #plain: PlainTracing;
  readonly #propagators: Propagators;
  readonly #sampling: Sampling;
  /** Undefined until somebody in the process has registered a provider. */
  #spans: SpanTracing | undefined;
  /** Loaded, until the first call, request, or DECIDE_MS. */
  #ready: OpenedSdk | undefined;
  /** Of the mesh, where the application has none. */
  #sdk: OpenedSdk | undefined;

  constructor(plane: DataPlane) {
    const { settings, store, log } = plane;
    this.#plane = plane;
    this.#propagators = new Propagators(process.env["OTEL_PROPAGATORS"]);
    for (const name of this.#propagators.unknown) {
      log.warn(
        `OTEL_PROPAGATORS: "${name}" is no format that inmesh has; expected tracecontext, baggage, b3, b3multi, jaeger or none`,
      );
    }
    const { tracingSampling } = settings;
    this.#sampling = new Sampling({
      policy: () => store.current?.telemetry,
      ratio: tracingSampling === undefined ? undefined : tracingSampling / PERCENT,
    });
    this.#plain = new PlainTracing({
      ...{ propagators: this.#propagators, sampling: this.#sampling, random: systemRandom },
      believes: this.#believes,
      propagates: () => this.#policy("client").propagates,
    });
    try {
      this.#openSdk();
    } catch (error) {
      log.warn(`no spans are sent, OpenTelemetry's SDK did not start: ${messageOf(error)}`);
    }
  }

  startCall(call: Call): TraceSpan | undefined {
    return this.#current.startCall(call);
  }

  startRequest(request: InboundContext, head: InboundHead): TraceSpan | undefined {
    return this.#current.startRequest(request, head);
  }

  quietly<Result>(work: () => Result): Result {
    return this.#current.quietly(work);
  }

  async flush(timeoutMs: number): Promise<void> {
    if (this.#sdk !== undefined) await this.#atMost(timeoutMs, this.#sdk.flush(timeoutMs));
  }

  async close(): Promise<void> {
    this.#forgetLastTurn?.();
    this.#plane.engine.tracing = undefined;
    if (this.#sdk !== undefined) await this.#atMost(LAST_FLUSH_MS, this.#sdk.close());
  }

  /** Exporters wait for a backend as long as they like, whatever they are told: no end waits for them. */
  async #atMost(timeoutMs: number, work: Promise<void>): Promise<void> {
    let timer: Timer | undefined;
    const late = new Promise<void>((resolve) => {
      timer = this.#plane.clock.after(timeoutMs, resolve);
    });
    try {
      await Promise.race([work, late]);
    } finally {
      timer?.cancel();
    }
  }

  get #current(): Tracing {
    if (this.#spans !== undefined) return this.#spans;
    if (this.#ready !== undefined) this.#decide(this.#ready);
    const registered = (globalThis as Record<symbol, { readonly trace?: unknown } | undefined>)[OTEL_GLOBAL]?.trace;
    if (registered === undefined) return this.#plain;
    this.#spans = this.#findSpans();
    return this.#spans ?? this.#plain;
  }

  /** At once: the call that asks is to have its span. */
  #findSpans(): SpanTracing | undefined {
    const { ProcessTracer, Redaction, SpanTracing } = spans();
    const tracer = new ProcessTracer(VERSION).current;
    if (tracer === undefined) return undefined;
    const { settings } = this.#plane;
    return new SpanTracing(tracer, {
      ...{
        mode: settings.tracing,
        plain: this.#plain,
        believes: this.#believes,
        policy: this.#policy,
        env: process.env,
      },
      ...{ propagators: this.#propagators, sampling: this.#sampling },
      redaction: new Redaction(settings.tracingRedact),
      envoyTags: settings.tracingEnvoyTags,
      istioTags: this.#istioTags(),
      servedBelow: isInstrumentedBelow,
      ownSdk: this.#sdk !== undefined,
      ownSampler: this.#sdk?.ownSampler ?? false,
    });
  }

  readonly #policy = (side: Side): ModeTelemetry["tracing"] =>
    (this.#plane.store.current?.telemetry ?? NO_TELEMETRY_POLICY)[side].tracing;

  #istioTags(): Record<string, string> {
    const { service, namespace, labels } = this.#plane.settings;
    return {
      "istio.canonical_service": labels["service.istio.io/canonical-name"] ?? service,
      "istio.canonical_revision": labels["service.istio.io/canonical-revision"] ?? labels["version"] ?? "latest",
      "istio.namespace": namespace,
      "istio.mesh_id": this.#plane.store.current?.mesh.trustDomain ?? "cluster.local",
      "istio.cluster_id": labels["topology.istio.io/cluster"] ?? "Kubernetes",
    };
  }

  #forgetLastTurn: (() => void) | undefined;
  /** A script that is done: what it has recorded is sent, or is not worth a longer wait (pitfalls O7). */
  readonly #onLastTurn = (): void => {
    this.flush(LAST_FLUSH_MS).catch(() => {}); // OpenTelemetry's own log has said why
  };

  readonly #believes = (request: InboundContext): boolean => {
    const { settings, identity } = this.#plane;
    return trusts(settings.tracingTrust, request.peer, identity);
  };

  /** At once, so that the first request has its span: what must be loaded takes the same time later. */
  #openSdk(): void {
    if (!exportAsked(process.env)) return;
    if (spans().isRegistered()) return; // the application's own sends them
    const { openSdk } = require("@inmesh/telemetry/sdk") as typeof import("@inmesh/telemetry/sdk");
    const { settings, instance, log, clock } = this.#plane;
    this.#ready = openSdk({
      ...{ env: process.env, service: settings.service, namespace: settings.namespace, instance },
      version: settings.labels["version"] ?? "",
      sampling: this.#sampling,
      propagators: this.#propagators,
      warn: (message) => log.warn(message),
    });
    clock.after(DECIDE_MS, () => this.#ready !== undefined && this.#decide(this.#ready));
  }

  /** An application that sets up OpenTelemetry in its main file had its chance: two providers cannot be registered. */
  #decide(sdk: OpenedSdk): void {
    this.#ready = undefined;
    const { isRegistered } = spans();
    if (isRegistered()) return;
    sdk.register();
    this.#sdk = sdk;
    this.#forgetLastTurn = atProcess("beforeExit", this.#onLastTurn);
  }
}

function spans(): typeof import("@inmesh/telemetry/tracing") {
  return require("@inmesh/telemetry/tracing") as typeof import("@inmesh/telemetry/tracing");
}
