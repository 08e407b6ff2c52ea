/** Records as the engine fills them, with endpoints and clusters that hold what metrics ask of them. */

import type { OutcomeRecord, TimeLedger } from "@inmesh/core";
import { type PeerIdentity, parseSpiffeId, type Service } from "@inmesh/model";

const LEDGER: TimeLedger = {
  ...{ meshMs: 0.02, faultMs: 0, queueMs: 0, dnsMs: 0, connectMs: 0, tlsMs: 0, waitMs: 7, bodyMs: 1, backoffMs: 0 },
  stallMs: 0,
};

export type Given = Partial<Omit<OutcomeRecord, "requestHeader" | "responseHeader">> & {
  readonly headers?: Readonly<Record<string, string>>;
};

export function outcome({ headers = {}, ...given }: Given = {}): OutcomeRecord {
  return {
    ...{ direction: "outbound", wallMs: 1_700_000_000_000, startedAt: 1_000, endedAt: 1_008, method: "GET", path: "/" },
    ...{ query: "", authority: "reviews", scheme: "http", protocol: "HTTP/1.1", status: 200, grpcStatus: -1, flags: 0 },
    ...{
      details: "via_upstream",
      code: "",
      message: "",
      requestBytes: 0,
      responseBytes: 12,
      requestId: "",
      traceId: "",
    },
    ...{ spanId: "", sampled: false, span: undefined, attempts: [], attemptCount: 1, ledger: LEDGER, noRetry: "" },
    ...{
      peer: undefined,
      peerWorkload: "",
      mtls: false,
      localAddress: "",
      remoteAddress: "",
      httpRoute: "",
      snapshot: 1,
      policy: "",
    },
    ...{ route: undefined, cluster: undefined, endpoint: undefined, call: undefined },
    ...{ meshMs: (given.ledger ?? LEDGER).meshMs, faultMs: (given.ledger ?? LEDGER).faultMs },
    ...given,
    requestHeader: (name) => headers[name],
    responseHeader: () => undefined,
  } as OutcomeRecord;
}

export function clusterOf(name: string, namespace = "shop"): NonNullable<OutcomeRecord["cluster"]> {
  const host = `${name}.${namespace}.svc.cluster.local`;
  const service = { host, name, namespace } as Service;
  return { config: { name: `outbound|80||${host}`, host, port: 80, subset: "", service }, closed: false } as never;
}

export interface FakeEndpoint {
  removed: boolean;
}

export function endpointOf(
  labels: Readonly<Record<string, string>>,
  workloads: readonly string[] = ["one"],
): NonNullable<OutcomeRecord["endpoint"]> & FakeEndpoint {
  return { endpoint: { id: "10.0.0.1:80", labels, workloads }, removed: false } as never;
}

export function peerOf(namespace: string, account: string): PeerIdentity {
  return parseSpiffeId(`spiffe://cluster.local/ns/${namespace}/sa/${account}`)!; // well-formed
}
