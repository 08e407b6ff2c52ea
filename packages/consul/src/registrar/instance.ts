/**
 * A lease as an instance of a Consul service, and back. What stands where is for people and other tools too:
 * docs/reference/consul.md lists it.
 */

import { type Lease, type LeaseSpec, MeshError } from "@inmesh/core";
import { isDnsLabel, leaseName } from "@inmesh/core/internal";
import type { Locality, WorkloadPort } from "@inmesh/model";
import type { ConsulTarget } from "../client/consul-target.js";
import { isConnectId } from "../connect/connect-name.js";
import { CALLERS_SERVICE, consulName, serviceOf } from "../service-name.js";
import { isLeaving, statusOf, weightOf } from "./check.js";
import { escapePart, escapeText, formatMeta, type Meta, readFact, readLabels, readMeta, unescapeText } from "./meta.js";
import { record, textOf } from "./read.js";

/** Body of `PUT /v1/agent/service/register`, without its check. */
export interface ServiceInstance {
  /** `<namespace>.<service>.<instance>`. */
  readonly ID: string;
  readonly Name: string;
  readonly Address: string;
  /** The first port; 0 of a process that only calls. */
  readonly Port: number;
  readonly Meta: Meta;
  readonly Tags: readonly string[];
  readonly Weights: { readonly Passing: number; readonly Warning: number };
  /** It has a certificate of Consul's own: sidecars of others may call it at its port. */
  readonly Connect?: { readonly Native: true };
}

/** How others on the same machine can tell whether the process still lives. */
export interface Machine {
  /** `Host.id` of the machine it runs on. */
  readonly host: string;
  /** `Host.startOf(pid)`; empty when unknown. */
  readonly started: string;
}

const NO_IDENTITY = "none";

/** No reader keeps an instance in mind for longer, whatever the instance says, in ms. */
const MAX_TTL_MS = 86_400_000;

/** @throws {MeshError} CONFIG_INVALID for a name that is no DNS label, and for more labels than Consul keeps */
export function toServiceInstance(
  lease: LeaseSpec,
  { namespace: home }: Pick<ConsulTarget, "namespace">,
  { host, started }: Machine = { host: "", started: "" },
): ServiceInstance {
  const id = leaseName(lease);
  const { namespace, service, ports, locality, weight = 1 } = lease;
  if (service === CALLERS_SERVICE) {
    const message = `no service may be called ${service}: processes that serve nothing register there`;
    throw new MeshError("CONFIG_INVALID", message);
  }
  const facts = {
    schema: String(lease.schemaVersion),
    version: escapeText(lease.inmeshVersion),
    pid: String(lease.pid),
    "ttl-ms": String(lease.ttlMs),
    ports: ports.map(({ name, number }) => `${escapePart(name)}:${number}`).join(","),
    locality: locality && [locality.region, locality.zone, locality.subZone].map(escapePart).join("/"),
    "service-account": lease.serviceAccount && escapeText(lease.serviceAccount),
    admin: lease.admin && escapeText(lease.admin),
    // An empty fact is not kept: a process without an identity says so by a word that is none.
    identity: lease.identity === "" ? NO_IDENTITY : lease.identity && escapeText(lease.identity),
    host: escapeText(host),
    "pid-started": started,
  };
  return {
    ID: id,
    Name: ports.length === 0 ? CALLERS_SERVICE : consulName({ namespace, service }, home),
    Address: lease.address,
    Port: ports[0]?.number ?? 0,
    Meta: formatMeta(facts, lease.labels),
    Tags: lease.tags ?? [],
    Weights: { Passing: weight, Warning: 1 }, // warnings come from others' checks: it is called, and less
    ...(ports.length > 0 && isConnectId(lease.identity) && { Connect: { Native: true } }),
  };
}

/**
 * The lease that registered an instance; undefined for one that others registered, or that says what no lease says.
 * @param entry one of `/v1/health/service/NAME`: `Node`, `Service`, `Checks`
 */
export function leaseOf(entry: unknown, { namespace: home }: Pick<ConsulTarget, "namespace">): Lease | undefined {
  const { Node: node, Service: instance, Checks: checks } = record(entry);
  const { ID, Service, Address, Port = 0, Meta, Tags, Weights } = record(instance); // newer servers leave a port of 0 away
  const identity = identityOf(textOf(ID), textOf(Service), home);
  const meta = readMeta(Meta);
  const ports = readPorts(readFact(meta, "ports") ?? "");
  if (identity === undefined || ports === undefined || (ports[0]?.number ?? 0) !== Port) return undefined;
  if ((ports.length === 0) !== (Service === CALLERS_SERVICE)) return undefined;
  const [pid = 0, ttlMs = 0, schemaVersion = -1] = ["pid", "ttl-ms", "schema"].map((name) => number(meta, name));
  const address = textOf(Address) || textOf(record(node)["Address"]);
  if (pid < 1 || ttlMs < 1 || schemaVersion < 0 || address === "") return undefined;
  const locality = readLocality(readFact(meta, "locality"));
  const [serviceAccount, admin] = ["service-account", "admin"].map((name) => unescapeText(readFact(meta, name)));
  const said = unescapeText(readFact(meta, "identity"));
  const status = statusOf(checks);
  const weight = weightOf(Weights, status);
  const tags = Array.isArray(Tags) ? Tags.filter((tag): tag is string => typeof tag === "string") : [];
  return {
    ...identity,
    address,
    ports,
    labels: readLabels(meta),
    ...(locality && { locality }),
    ...(serviceAccount && { serviceAccount }),
    ...(said && { identity: said === NO_IDENTITY ? "" : said }),
    ...(weight > 1 && { weight }),
    ...(tags.length > 0 && { tags }),
    pid,
    ...(admin && { admin }),
    ttlMs: Math.min(ttlMs, MAX_TTL_MS),
    inmeshVersion: unescapeText(readFact(meta, "version")) ?? "",
    schemaVersion,
    ...(weight === 0 && { healthy: false }),
    ...(isLeaving(checks) && { leaving: true }),
  };
}

/** Where the process of an instance runs; empty where it does not say. @param service `Service` of an entry */
export function machineOf(service: unknown): Machine {
  const meta = readMeta(record(service)["Meta"]);
  const [host = "", started = ""] = ["host", "pid-started"].map((name) => unescapeText(readFact(meta, name)));
  return { host, started };
}

/** What keeps whoever may register one service from speaking for another: the id must agree with the service's name. */
function identityOf(id: string, name: string, home: string) {
  const [namespace = "", service = "", instance = "", ...more] = id.split(".");
  if (more.length > 0 || ![namespace, service, instance].every(isDnsLabel)) return undefined;
  const named = name === CALLERS_SERVICE ? { namespace, service } : serviceOf(name, home);
  if (named?.namespace !== namespace || named.service !== service) return undefined;
  return { name: id, namespace, service, instance };
}

function number(meta: Meta, name: string): number {
  const text = readFact(meta, name) ?? "";
  return /^\d{1,15}$/.test(text) ? Number(text) : -1;
}

function readPorts(text: string): WorkloadPort[] | undefined {
  const ports: WorkloadPort[] = [];
  for (const part of text === "" ? [] : text.split(",")) {
    const [, escaped, digits] = /^([^:]*):(\d{1,5})$/.exec(part) ?? [];
    const name = unescapeText(escaped);
    if (name === undefined || !(Number(digits) > 0) || Number(digits) > 65_535) return undefined;
    ports.push({ name, number: Number(digits) });
  }
  return ports;
}

function readLocality(text: string | undefined): Locality | undefined {
  if (text === undefined) return undefined;
  const [region = "", zone = "", subZone = ""] = text.split("/").map((part) => unescapeText(part) ?? "");
  return { region, zone, subZone };
}
