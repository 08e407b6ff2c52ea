/** A record as the engine would tell of it, for tests; all of it can be replaced. */

import type { OutcomeRecord, TimeLedger } from "@inmesh/core";

export const NO_TIME: TimeLedger = {
  ...{ meshMs: 0, faultMs: 0, queueMs: 0, dnsMs: 0, connectMs: 0, tlsMs: 0, waitMs: 0, bodyMs: 0, backoffMs: 0 },
  stallMs: 0,
};

export interface RecordInit extends Partial<OutcomeRecord> {
  readonly requestHeaders?: Readonly<Record<string, string>>;
  readonly responseHeaders?: Readonly<Record<string, string>>;
}

/** 21:04:11.482 of a day in November; 41 ms, 31 of them the peer's. */
export function record({ requestHeaders = {}, responseHeaders = {}, ...init }: RecordInit = {}): OutcomeRecord {
  const made: OutcomeRecord = {
    direction: "outbound",
    wallMs: Date.parse("2026-11-20T21:04:11.482Z"),
    ...{ startedAt: 1_000, readyAt: 1_000.25, headAt: 1_031.25, endedAt: 1_041.25 },
    ...{ method: "GET", path: "/api/reviews/42", query: "token=abc" },
    ...{ authority: "reviews.shop", scheme: "http", protocol: "HTTP/1.1", status: 200, grpcStatus: -1, flags: 0 },
    ...{ details: "via_upstream", code: "", message: "", requestBytes: 0, responseBytes: 58, requestId: "6f0c" },
    ...{ traceId: "0af7651916cd43dd8448eb211c80319c", spanId: "b7ad6b7169203331", sampled: true, span: undefined },
    ...{
      attempts: [],
      attemptCount: 1,
      noRetry: "",
      peer: undefined,
      peerWorkload: "",
      requestMessages: 0,
      responseMessages: 0,
      mtls: false,
    },
    ledger: { ...NO_TIME, meshMs: 0.25, waitMs: 31, bodyMs: 10 },
    ...{ meshMs: 0.25, faultMs: 0, stallMs: 0 },
    ...{ localAddress: "127.0.0.1:40112", remoteAddress: "10.1.0.9:9080", httpRoute: "", snapshot: 41, policy: "" },
    ...{ route: undefined, cluster: undefined, endpoint: undefined, call: undefined },
    requestHeader: (name) => requestHeaders[name],
    responseHeader: (name) => responseHeaders[name],
    keep: () => made,
    ...init,
  };
  return made;
}
