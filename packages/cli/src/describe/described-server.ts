/** What a service's own processes let in: policy as they compile it, and what each of them has counted. */

import type { Lease } from "@inmesh/core";
import type { GateReading, StatsView } from "@inmesh/core/admin";
import { type RateLimitKey, resourceKey, type ServerPolicy } from "@inmesh/model";
import type { AdminClient } from "../live/admin-client.js";
import { processName, readProcesses } from "../live/processes.js";

export interface DescribedServer {
  readonly rateLimits: readonly {
    /** `ns/name/rule`. */
    readonly name: string;
    readonly resource: string;
    readonly path: string;
    readonly by: readonly string[];
    readonly requests: number;
    readonly perMs: number;
    readonly burst: number;
  }[];
  /** Counted by a service, for all processes together. */
  readonly sharedLimits: readonly {
    readonly name: string;
    readonly resource: string;
    readonly path: string;
    readonly by: readonly string[];
    /** `host:port`. */
    readonly service: string;
    readonly domain: string;
    readonly failureModeDeny: boolean;
  }[];
  readonly admission: {
    readonly resource: string;
    /** 0: no fixed limit. */
    readonly maxConcurrency: number;
    readonly adaptive: { readonly minConcurrency: number; readonly maxConcurrency: number } | null;
    /** 0: the event loop is not looked at. */
    readonly maxLoopDelayMs: number;
    /** Priorities that the server gives itself, in order. */
    readonly priorities: readonly string[];
    readonly priorityHeader: string;
  } | null;
  /** What each process has counted, or a phrase that says why it is not known. */
  readonly processes: readonly {
    readonly name: string;
    readonly gate: GateReading | null;
    readonly failure: string | null;
  }[];
}

/**
 * @param own leases of the service
 * @returns null when every request is let in; then no process is asked
 */
export async function describeServer(
  { rateLimits, sharedLimits = [], admission }: ServerPolicy,
  own: readonly Lease[],
  client: AdminClient,
): Promise<DescribedServer | null> {
  if (rateLimits.length === 0 && sharedLimits.length === 0 && admission === undefined) return null;
  const readings = await readProcesses<StatsView>(client, own, "/stats", ["atMs", "inbound"]);
  return {
    rateLimits: rateLimits.map(({ name, resource, keys, requests, perMs, burst }) => ({
      ...{ name, requests, perMs, burst, by: keys.map(written) },
      ...{ resource: resourceKey(resource.resource), path: resource.path },
    })),
    sharedLimits: sharedLimits.map(({ name, resource, keys, service }) => ({
      ...{ name, resource: resourceKey(resource.resource), path: resource.path, by: keys.map(written) },
      ...{ service: `${service.host}:${service.port}`, domain: service.domain },
      failureModeDeny: service.failureModeDeny,
    })),
    admission: admission
      ? {
          resource: resourceKey(admission.resource.resource),
          maxConcurrency: admission.maxConcurrency,
          adaptive: admission.adaptive ?? null,
          maxLoopDelayMs: admission.maxLoopDelayMs,
          priorities: admission.priorities.map(({ priority }) => priority),
          priorityHeader: admission.priorityHeader,
        }
      : null,
    processes: readings.map(({ lease, view, failure }) => ({
      name: processName(lease),
      gate: view?.gate ?? null,
      failure: failure ?? (view?.gate === undefined ? "it has not taken this policy" : null),
    })),
  };
}

/** As in the document. */
function written(key: RateLimitKey): string {
  switch (key.kind) {
    case "sourceIp":
      return "SOURCE_IP";
    case "header":
      return `header:${key.name}`;
    default:
      return key.kind.toUpperCase();
  }
}
