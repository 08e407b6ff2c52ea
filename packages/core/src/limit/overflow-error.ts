/** The error of a request that is one too many. */

import type { Cluster, LimitPolicy } from "@inmesh/model";
import type { Call } from "../call/call.js";
import { requestLine } from "../call/story.js";
import { MeshError } from "../errors.js";

interface Words {
  readonly fact: (limit: number) => string;
  /** Below `connectionPool`. */
  readonly field: string;
  readonly limit: (policy: LimitPolicy) => number;
}

const WORDS: Readonly<Record<"connections" | "pending" | "requests", Words>> = {
  connections: {
    fact: (limit) => `${limit} connections are open`,
    field: "tcp.maxConnections",
    limit: ({ maxConnections }) => maxConnections,
  },
  pending: {
    fact: (limit) => `${limit} requests wait for a connection`,
    field: "http.http1MaxPendingRequests",
    limit: ({ maxPendingRequests }) => maxPendingRequests,
  },
  requests: {
    fact: (limit) => `${limit} requests are under way`,
    field: "http.http2MaxRequests",
    limit: ({ maxRequests }) => maxRequests,
  },
};

export function overflowError(
  kind: keyof typeof WORDS,
  call: Call,
  { name, host, policy, resource }: Cluster,
): MeshError {
  const { fact, field, limit } = WORDS[kind];
  const most = policy.limits === undefined ? 0 : limit(policy.limits);
  const rule = resource === null ? "policy" : `DestinationRule ${resource.namespace}/${resource.name}`;
  return new MeshError(
    "OVERFLOW",
    `${requestLine(call)} was not sent: to "${name}" ${fact(most)}, as many as ${rule} allows (connectionPool.${field}: ${most}). See: inmesh describe ${host}`,
    call.place,
  );
}
