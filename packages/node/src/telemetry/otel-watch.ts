/**
 * OpenTelemetry's metrics beside Istio's, as soon as the process registers a MeterProvider: nothing of OpenTelemetry is loaded
 * before. Whether there is one is looked up where @opentelemetry/api keeps it.
 */

import type { Timer } from "@inmesh/core";
import { messageOf } from "@inmesh/core";
import type { DataPlane } from "../plane/data-plane.js";
import { instrumentedBesides } from "./instrumented-besides.js";

/** In ms. */
const LOOK_MS = 500;

export class OtelWatch {
  readonly #plane: DataPlane;
  #timer: Timer | undefined;
  #leave: (() => void) | undefined;
  #closed = false;

  constructor(plane: DataPlane) {
    this.#plane = plane;
    if (plane.settings.otelMetrics === "off") return;
    if (hasMeterProvider()) void this.#join();
    else {
      this.#timer = plane.clock.every(LOOK_MS, () => {
        if (hasMeterProvider()) void this.#join();
      });
    }
  }

  close(): void {
    this.#closed = true;
    this.#timer?.cancel();
    this.#leave?.();
  }

  async #join(): Promise<void> {
    this.#timer?.cancel();
    this.#timer = undefined;
    try {
      const { OtelMetrics } = await import("@inmesh/telemetry/otel-metrics");
      if (this.#closed) return;
      const { otelMetrics } = this.#plane.settings;
      const spared = otelMetrics === "on" ? { client: false, server: false } : instrumentedBesides();
      this.#leave = this.#plane.engine.sinks.add(new OtelMetrics({ env: process.env, spared }));
      this.#plane.events.add("metrics", "OpenTelemetry metrics go to the MeterProvider of this process");
    } catch (error) {
      this.#plane.log.warn(`no OpenTelemetry metrics: ${messageOf(error)}`);
    }
  }
}

/** @opentelemetry/api 1.x keeps what is registered in one place for all its copies. */
function hasMeterProvider(): boolean {
  const api = (globalThis as Record<symbol, unknown>)[Symbol.for("opentelemetry.js.api.1")];
  return typeof api === "object" && api !== null && "metrics" in api && api.metrics !== undefined;
}
