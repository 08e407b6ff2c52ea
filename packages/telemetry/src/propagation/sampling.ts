/** Which traces are recorded where nobody above has decided: Telemetry resources, a setting, 1 % (observability §4.2). */

import type { TelemetryPolicy } from "@inmesh/model";

/** Istio's effective default. */
const DEFAULT_RATIO = 0.01;

export type Side = "client" | "server";

/** `mesh`: those who have shown a certificate; where this process has none itself nobody can, and all are believed. */
export type SampledTrust = "mesh" | "any" | "none";

export interface SamplingOptions {
  readonly policy: () => TelemetryPolicy | undefined;
  /** 0–1, of the setting; undefined: not set. */
  readonly ratio: number | undefined;
}

export class Sampling {
  readonly #options: SamplingOptions;

  constructor(options: SamplingOptions) {
    this.#options = options;
  }

  /** 0–1. */
  ratio(side: Side): number {
    return this.asked(side) ?? DEFAULT_RATIO;
  }

  /** What a Telemetry resource or the setting asks for; undefined where neither does. */
  asked(side: Side): number | undefined {
    const { policy, ratio } = this.#options;
    return policy()?.[side].tracing.samplingRatio ?? ratio;
  }
}

const HALF = 2 ** 32;
const LAST_DIGITS = -8;

/**
 * By the id's last 32 bits, which are random wherever ids are: everybody on the way comes to the same result, and whoever samples
 * more samples those that others do.
 */
export function isSampled(traceId: string, ratio: number): boolean {
  if (ratio >= 1) return true;
  return Number.parseInt(traceId.slice(LAST_DIGITS), 16) < ratio * HALF;
}
