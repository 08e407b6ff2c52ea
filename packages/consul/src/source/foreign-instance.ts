/** An instance that others registered in Consul → a Workload. What stands where: docs/reference/consul.md. */

import type { ServiceRef } from "@inmesh/core";
import type { Locality, Workload } from "@inmesh/model";
import { statusOf, weightOf } from "../registrar/check.js";
import { readLabels, readMeta } from "../registrar/meta.js";
import type { HealthEntry } from "./health-entry.js";

/** A tag is a label too: `tag.consul/blue: "true"`. */
export const TAG_LABEL_PREFIX = "tag.consul/";

const SIDECAR = "connect-proxy";
const PROTOCOLS: ReadonlySet<string> = new Set(["http", "http2", "grpc", "grpc-web", "https", "tls", "tcp"]);

export interface ForeignContext {
  readonly service: ServiceRef;
  /** Whether it stands in another datacenter than the one that is asked by default: its wide-area address counts then. */
  readonly far: boolean;
  readonly warning: "in" | "out";
}

export function foreignInstance(entry: HealthEntry, { service, far, warning }: ForeignContext): Workload {
  const status = statusOf(entry.Checks);
  const weight = weightOf(entry.Service.Weights, status);
  const { address, port } = addressOf(entry, far);
  return {
    name: nameOf(entry),
    ...service,
    address,
    ports: port === 0 ? [] : [{ number: port, name: protocolOf(entry.Service) }],
    labels: labelsOf(entry.Service),
    locality: localityOf(entry),
    weight: weight || 1,
    // It takes calls over mTLS only, and shows the certificate of the service that it stands before.
    ...(entry.Service.Kind === SIDECAR && { member: true }),
    healthy: weight > 0 && (status !== "warning" || warning === "in"),
  };
}

/** IDs are unique on their node only. */
function nameOf({ Node, Service }: HealthEntry): string {
  return `${Node.Datacenter ?? ""}/${Node.Node}/${Service.ID}`;
}

function addressOf({ Node, Service }: HealthEntry, far: boolean): { address: string; port: number } {
  const port = Service.Port ?? 0;
  const wan = far ? Service.TaggedAddresses?.["wan"] : undefined;
  if (wan?.Address) return { address: wan.Address, port: wan.Port || port };
  return { address: Service.Address || (far && Node.TaggedAddresses?.["wan"]) || Node.Address, port };
}

/** The port is named after the protocol that meta or a tag says; the catalog itself knows none. */
function protocolOf({ Meta, Tags }: HealthEntry["Service"]): string {
  const said = readMeta(Meta)["protocol"]?.toLowerCase();
  if (said !== undefined && PROTOCOLS.has(said)) return said;
  return Tags?.find((tag) => PROTOCOLS.has(tag)) ?? "http";
}

/** Meta as it stands, then tags; a tag `key=value` is also the label that it looks like. */
function labelsOf({ Meta, Tags }: HealthEntry["Service"]): Readonly<Record<string, string>> {
  const labels: Record<string, string> = Object.create(null);
  for (const tag of Tags ?? []) {
    labels[TAG_LABEL_PREFIX + tag] = "true";
    const at = tag.indexOf("=");
    if (at > 0) labels[tag.slice(0, at)] = tag.slice(at + 1);
  }
  return Object.assign(labels, readLabels(readMeta(Meta)));
}

/** Its own meta says more than its node's; a region that nobody names is the datacenter. */
function localityOf({ Node, Service }: HealthEntry): Locality {
  const [own, node] = [readMeta(Service.Meta), readMeta(Node.Meta)];
  const said = (key: string): string => own[key] || node[key] || "";
  return { region: said("region") || (Node.Datacenter ?? ""), zone: said("zone"), subZone: said("sub-zone") };
}
