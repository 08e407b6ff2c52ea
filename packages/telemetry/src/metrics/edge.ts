/** One way between two workloads, in one direction of sight: everything of its labels that one request does not change. */

import { flagsText } from "@inmesh/core";
import { type Buckets, boundsFor } from "./bounds-for.js";
import { labelText } from "./exposition.js";
import { HistogramCells } from "./histogram-cells.js";
import { COMMON_LABELS, type CommonLabel, metricOf } from "./metric-table.js";

export type LabelValues = Partial<Record<CommonLabel, string>>;

/** Requests with the same labels. */
export class Traffic {
  readonly status: number;
  readonly grpcStatus: number;
  readonly flags: number;
  readonly labels: string;
  requests = 0;
  readonly duration: HistogramCells;
  readonly requestBytes: HistogramCells;
  readonly responseBytes: HistogramCells;

  constructor({ status, grpcStatus, flags }: TrafficKey, labels: string, bounds: TrafficBounds) {
    this.status = status;
    this.grpcStatus = grpcStatus;
    this.flags = flags;
    this.labels = labels;
    this.duration = new HistogramCells(bounds.request_duration_milliseconds);
    this.requestBytes = new HistogramCells(bounds.request_bytes);
    this.responseBytes = new HistogramCells(bounds.response_bytes);
  }
}

export interface TrafficKey {
  readonly status: number;
  readonly grpcStatus: number;
  readonly flags: number;
}

export interface TrafficBounds {
  readonly request_duration_milliseconds: readonly number[];
  readonly request_bytes: readonly number[];
  readonly response_bytes: readonly number[];
}

export function trafficBounds(buckets: Buckets | undefined): TrafficBounds {
  const of = (name: "istio_request_duration_milliseconds" | "istio_request_bytes" | "istio_response_bytes") =>
    boundsFor(name, buckets, metricOf(name).bounds!); // a histogram
  return {
    request_duration_milliseconds: of("istio_request_duration_milliseconds"),
    request_bytes: of("istio_request_bytes"),
    response_bytes: of("istio_response_bytes"),
  };
}

/** What still leads over an edge: it is over when nothing does. */
export interface EdgeHolder {
  readonly gone: boolean;
}

export class Edge {
  readonly values: LabelValues;
  /** Of `values`, which is a dictionary to V8, and is asked of each edge a dozen times at a scrape. */
  readonly reporter: string | undefined;
  readonly text: string;
  /** The busiest are found first. */
  readonly traffics: Traffic[] = [];
  /** Some were of gRPC, with as many messages. */
  grpc = false;
  requestMessages = 0;
  responseMessages = 0;
  /** Clock ms of the last request. */
  lastAt = 0;
  #holders: EdgeHolder[] = [];

  constructor(values: LabelValues, text: string) {
    this.values = values;
    this.reporter = values.reporter;
    this.text = text;
  }

  hold(holder: EdgeHolder): void {
    if (this.#holders.includes(holder)) return;
    if (this.#holders.length >= MANY_HOLDERS) this.#holders = this.#holders.filter(({ gone }) => !gone);
    this.#holders.push(holder);
  }

  /** Its peer has left the registry. */
  get gone(): boolean {
    this.#holders = this.#holders.filter(({ gone }) => !gone);
    return this.#holders.length === 0;
  }

  /** As if nothing had come over it. */
  clear(): void {
    this.traffics.length = 0;
    this.grpc = false;
    this.requestMessages = 0;
    this.responseMessages = 0;
  }

  /** @returns undefined where no request has been like it */
  find(status: number, grpcStatus: number, flags: number): Traffic | undefined {
    const { traffics } = this;
    for (let index = 0; index < traffics.length; index++) {
      const traffic = traffics[index]!; // in range
      if (traffic.status === status && traffic.flags === flags && traffic.grpcStatus === grpcStatus) return traffic;
    }
    return undefined;
  }
}

const MANY_HOLDERS = 64;

/** Labels of an edge alone, in order: what tells it from others. */
export function edgeText(values: LabelValues): string {
  return labelText(pairsOf(values));
}

/** In the order of the table; those without a value are left out. */
export function pairsOf(values: LabelValues): string[] {
  const pairs: string[] = [];
  for (const label of COMMON_LABELS) {
    const value = values[label];
    if (value !== undefined) pairs.push(label, value);
  }
  return pairs;
}

/** Labels that messages have: they are counted as they pass, before anybody knows how the request will end. */
export function messageValues(edge: LabelValues): LabelValues {
  return { ...edge, request_protocol: "grpc" };
}

/** All labels of requests with this outcome. */
export function trafficValues(edge: LabelValues, { status, grpcStatus, flags }: TrafficKey): LabelValues {
  return {
    ...edge,
    request_protocol: grpcStatus >= 0 ? "grpc" : "http",
    response_code: String(status),
    ...(grpcStatus >= 0 && { grpc_response_status: String(grpcStatus) }),
    response_flags: flagsText(flags),
  };
}
