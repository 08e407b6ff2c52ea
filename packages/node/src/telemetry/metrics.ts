/** Metrics of a process: hears of every outcome, reads what is counted elsewhere, and is read by whoever scrapes. */

import { isMainThread } from "node:worker_threads";
import { messageOf } from "@inmesh/core";
import { NO_TELEMETRY_POLICY } from "@inmesh/model";
import {
  MeshMetrics,
  OPEN_METRICS_TYPE,
  ownMetadata,
  PeerMetadata,
  TEXT_TYPE,
  workloadLabels,
} from "@inmesh/telemetry";
import type { DataPlane } from "../plane/data-plane.js";
import { LoopDelaySamples } from "./loop-delay-samples.js";
import { fetchAppended } from "./merged-metrics.js";
import { openMetricsPort } from "./metrics-port.js";
import { OtelWatch } from "./otel-watch.js";
import { ownSamples } from "./own-samples.js";
import { RegistryPeers } from "./registry-peers.js";
import type { TelemetryPart } from "./telemetry.js";

/** What a scraper is answered with. */
export interface MetricsPage {
  readonly contentType: string;
  readonly pieces: Iterable<string>;
}

export interface Scrape {
  /** Of the request. */
  readonly accept?: string | undefined;
  readonly usedOnly?: boolean;
  /** Of names. */
  readonly filter?: (name: string) => boolean;
}

export class ProcessMetrics implements TelemetryPart {
  readonly #plane: DataPlane;
  readonly #metrics: MeshMetrics;
  readonly #loopDelay = new LoopDelaySamples();
  readonly #otel: OtelWatch;
  readonly #unsubscribe: () => void;
  readonly #leave: () => void;
  #port: { close(): Promise<void> } | undefined;

  constructor(plane: DataPlane) {
    this.#plane = plane;
    const { settings, engine, store, clock } = plane;
    const { service, namespace, labels } = settings;
    const domain = (): string => store.current?.mesh.domain ?? "cluster.local";
    const principal = (): string => plane.identity?.current?.self.id ?? "";
    const self = workloadLabels(labels, service, namespace);
    plane.transport.workload = ownMetadata(self);
    this.#metrics = new MeshMetrics({
      self,
      service: { host: () => `${service}.${namespace}.svc.${domain()}`, name: service, namespace },
      principal,
      peers: new RegistryPeers(store),
      metadata: new PeerMetadata(),
      buckets: settings.metricsBuckets,
      maxSeries: settings.metricsSeries,
      now: () => clock.now(),
      collectors: [ownSamples(plane), (samples) => this.#loopDelay.write(samples, clock.now())],
    });
    this.#leave = engine.sinks.add(this.#metrics);
    this.#otel = new OtelWatch(plane);
    const adopt = (): void => this.#metrics.update(store.current?.telemetry ?? NO_TELEMETRY_POLICY);
    adopt();
    this.#unsubscribe = store.subscribe(adopt);
  }

  /** Binds the port of its own, if there is to be one. Never rejects. */
  async open(): Promise<void> {
    const { metricsPort } = this.#plane.settings;
    if (metricsPort === undefined || !isMainThread) return;
    try {
      this.#port = await openMetricsPort(this, metricsPort);
      this.#plane.events.add("metrics", `metrics at port ${metricsPort}`);
    } catch (error) {
      this.#plane.log.warn(`no metrics at port ${metricsPort}: ${messageOf(error)}`);
    }
  }

  async scrape({ accept = "", usedOnly = false, filter }: Scrape = {}): Promise<MetricsPage> {
    const openMetrics = accept.includes("application/openmetrics-text");
    const { metricsMerge } = this.#plane.settings;
    const appended = metricsMerge === undefined || filter !== undefined ? "" : await fetchAppended(metricsMerge);
    return {
      contentType: openMetrics ? OPEN_METRICS_TYPE : TEXT_TYPE,
      pieces: this.#metrics.read({ openMetrics, usedOnly, ...(filter && { filter }), appended }),
    };
  }

  /** In one text. */
  async text(): Promise<string> {
    return [...this.#metrics.read()].join("");
  }

  reset(): void {
    this.#metrics.traffic.reset();
  }

  async close(): Promise<void> {
    this.#unsubscribe();
    this.#leave();
    this.#otel.close();
    this.#loopDelay.close();
    await this.#port?.close();
  }
}
