/**
 * The same outcomes in OpenTelemetry's words, for the MeterProvider of the process: names and attributes of its semantic
 * conventions 1.45. They are written out here, because the package that holds them takes longer to load than all of this.
 */

import type { OutcomeRecord, OutcomeSink } from "@inmesh/core";
import { type Attributes, type Counter, type Histogram, metrics } from "@opentelemetry/api";
import { AttributeSets } from "./attribute-sets.js";
import { clientAttributes, isGrpc, oldRpcAttributes, rpcAttributes, serverAttributes } from "./attributes.js";

export interface OtelMetricsOptions {
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Sides whose durations somebody else of the process counts already. */
  readonly spared: { readonly client: boolean; readonly server: boolean };
}

/** In seconds, as the conventions say. */
const DURATION_BOUNDS = [0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10];
const OVERHEAD_BOUNDS = [5, 10, 25, 50, 100, 250, 500, 1_000, 5_000];
const MS_PER_S = 1_000;

interface SideInstruments {
  readonly http: Histogram;
  readonly rpc: Histogram;
  /** Of before 1.45, in ms; only where asked for. */
  readonly oldRpc: Histogram | undefined;
  readonly httpSets: AttributeSets;
  readonly rpcSets: AttributeSets;
}

export class OtelMetrics implements OutcomeSink {
  readonly #client: SideInstruments | undefined;
  readonly #server: SideInstruments | undefined;
  readonly #attempts: Counter;
  readonly #overhead: Histogram;
  readonly #attemptSets = new Map<string, Attributes>();

  constructor({ env, spared }: OtelMetricsOptions) {
    const meter = metrics.getMeter("@inmesh/telemetry");
    const optsIn = (env["OTEL_SEMCONV_STABILITY_OPT_IN"] ?? "").split(",").map((word) => word.trim());
    const histogram = (name: string, description: string): Histogram =>
      meter.createHistogram(name, { description, unit: "s", advice: { explicitBucketBoundaries: DURATION_BOUNDS } });
    const side = (name: "client" | "server"): SideInstruments => ({
      http: histogram(`http.${name}.request.duration`, `Duration of HTTP ${name} requests.`),
      rpc: histogram(`rpc.${name}.call.duration`, `Duration of ${name} RPCs.`),
      oldRpc: optsIn.includes("rpc/dup")
        ? meter.createHistogram(`rpc.${name}.duration`, { description: `Duration of ${name} RPCs.`, unit: "ms" })
        : undefined,
      httpSets: new AttributeSets(name === "client" ? clientAttributes : serverAttributes),
      rpcSets: new AttributeSets(rpcAttributes),
    });
    this.#client = spared.client ? undefined : side("client");
    this.#server = spared.server ? undefined : side("server");
    this.#attempts = meter.createCounter("inmesh.client.attempts", {
      description: "Attempts of calls, those beyond the first included.",
      unit: "{attempt}",
    });
    this.#overhead = meter.createHistogram("inmesh.overhead", {
      description: "Time in the mesh's own code, network excluded.",
      unit: "us",
      advice: { explicitBucketBoundaries: OVERHEAD_BOUNDS },
    });
  }

  ended(record: OutcomeRecord): void {
    const isClient = record.direction === "outbound";
    this.#overhead.record(record.meshMs * MS_PER_S, DIRECTIONS[record.direction]);
    if (isClient && record.attemptCount > 0) this.#attempts.add(record.attemptCount, this.#attemptSet(record));
    const side = isClient ? this.#client : this.#server;
    if (side === undefined) return;
    const durationMs = record.endedAt - record.startedAt;
    if (!isGrpc(record)) return side.http.record(durationMs / MS_PER_S, side.httpSets.of(record));
    side.rpc.record(durationMs / MS_PER_S, side.rpcSets.of(record));
    side.oldRpc?.record(durationMs, oldRpcAttributes(record));
  }

  #attemptSet({ cluster }: OutcomeRecord): Attributes {
    const host = cluster?.config.host ?? "unknown";
    let set = this.#attemptSets.get(host);
    if (set === undefined) {
      if (this.#attemptSets.size >= MOST_HOSTS) this.#attemptSets.clear();
      set = { "server.address": host };
      this.#attemptSets.set(host, set);
    }
    return set;
  }
}

const MOST_HOSTS = 1_000;
const DIRECTIONS = { outbound: { direction: "outbound" }, inbound: { direction: "inbound" } } as const;
