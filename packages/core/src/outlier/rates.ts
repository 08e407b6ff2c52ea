/**
 * Endpoints that do worse than their peers, judged once in an interval by all that they answered in it: by success rate or
 * by share of failures, as Envoy and gRFC A50 have it. Istio's YAML asks for neither.
 */

import type { OutlierPolicy } from "@inmesh/model";
import type { EndpointState } from "../cluster/endpoint-state.js";
import type { Tally } from "./endpoint-outlier.js";

export interface RateVerdict {
  readonly state: EndpointState;
  readonly kind: "success_rate" | "failure_percentage";
  readonly reason: string;
  /** Share of such verdicts that are carried out. */
  readonly enforcedRatio: number;
}

type Rates = Pick<OutlierPolicy, "successRate" | "failureShare">;

/** @param tally which one of an endpoint's; undefined where it has none */
export function judgeRates(
  { successRate, failureShare }: Rates,
  states: readonly EndpointState[],
  tally: (state: EndpointState) => Tally | undefined,
): RateVerdict[] {
  const verdicts: RateVerdict[] = [];
  if (successRate !== undefined) {
    const busy = withEnough(states, tally, successRate.minRequests);
    if (busy.length >= Math.max(1, successRate.minEndpoints)) {
      const mean = busy.reduce((sum, { rate }) => sum + rate, 0) / busy.length;
      const deviation = Math.sqrt(busy.reduce((sum, { rate }) => sum + (rate - mean) ** 2, 0) / busy.length);
      const limit = mean - deviation * successRate.deviations;
      for (const { state, rate } of busy) {
        if (rate >= limit) continue;
        const reason = `${percent(rate)} of its answers were good, ${percent(mean)} of all endpoints' are`;
        verdicts.push({ state, kind: "success_rate", reason, enforcedRatio: successRate.enforcedRatio });
      }
    }
  }
  if (failureShare !== undefined) {
    const busy = withEnough(states, tally, failureShare.minRequests);
    if (busy.length >= Math.max(1, failureShare.minEndpoints)) {
      for (const { state, rate } of busy) {
        if (1 - rate < failureShare.ratio) continue;
        const reason = `${percent(1 - rate)} of its answers were failures`;
        verdicts.push({ state, kind: "failure_percentage", reason, enforcedRatio: failureShare.enforcedRatio });
      }
    }
  }
  return verdicts;
}

function withEnough(
  states: readonly EndpointState[],
  tally: (state: EndpointState) => Tally | undefined,
  minRequests: number,
): { state: EndpointState; rate: number }[] {
  return states.flatMap((state) => {
    const { all, good } = tally(state) ?? NOTHING;
    return all > 0 && all >= minRequests ? [{ state, rate: good / all }] : [];
  });
}

const NOTHING: Tally = { all: 0, good: 0 };

function percent(ratio: number): string {
  return `${Math.round(ratio * 1_000) / 10} %`;
}
