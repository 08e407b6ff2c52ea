/** One element of `/v1/health/service/NAME`, as far as everybody's instances are read. */

import { ConsulError } from "../client/consul-error.js";
import { record } from "../registrar/read.js";

export interface HealthEntry {
  readonly Node: {
    readonly Node: string;
    readonly Address: string;
    readonly Datacenter?: string;
    readonly TaggedAddresses?: Readonly<Record<string, string>> | null;
    readonly Meta?: Readonly<Record<string, string>> | null;
  };
  readonly Service: {
    readonly ID: string;
    readonly Service: string;
    /** `connect-proxy` of a sidecar; empty or absent of what serves itself. */
    readonly Kind?: string;
    readonly Address?: string;
    readonly Port?: number;
    readonly Tags?: readonly string[] | null;
    readonly Meta?: Readonly<Record<string, string>> | null;
    readonly TaggedAddresses?: Readonly<Record<string, { readonly Address: string; readonly Port: number }>> | null;
    readonly Weights?: unknown;
  };
  readonly Checks: readonly { readonly Status: string }[];
}

/** @throws {ConsulError} `garbled` */
export function healthEntries(body: unknown, shown: string): readonly HealthEntry[] {
  if (Array.isArray(body) && body.every(isHealthEntry)) return body;
  throw new ConsulError("garbled", `${shown} answered a question for instances with something else`);
}

function isHealthEntry(value: unknown): value is HealthEntry {
  const { Node, Service, Checks } = record(value);
  const [node, service] = [record(Node), record(Service)];
  const texts = [node["Node"], node["Address"], service["ID"], service["Service"]];
  return texts.every((text) => typeof text === "string") && isPort(service["Port"]) && Array.isArray(Checks);
}

function isPort(value: unknown): boolean {
  return value === undefined || (typeof value === "number" && Number.isInteger(value) && value >= 0 && value <= 65_535);
}
