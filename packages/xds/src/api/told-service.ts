/** Services whose instances EDS tells of, and the names to ask for them. */

import type { Document, ServiceRef } from "@inmesh/model";
import { hostCovers, qualifiedHost } from "@inmesh/model/internal";
import { assignmentName } from "./assignment.js";
import { SERVICE_LABEL } from "./synthetic-service.js";

export interface ServedPort {
  readonly number: number;
  readonly name: string;
}

/** Labels that choose instances, by the subset's name. */
export type Subsets = ReadonlyMap<string, Readonly<Record<string, string>>>;

export interface ToldService {
  readonly host: string;
  /** Of the document that declares it: who stands behind it is sought there. */
  readonly namespace: string;
  /** For display. */
  readonly name: string;
  /** As callers say that they need it. Undefined: of a name that no registry has, so it is asked for from the start. */
  readonly ref: ServiceRef | undefined;
  /** Every instance bears them, or it would not stand behind it. */
  readonly labels: Readonly<Record<string, string>>;
  readonly ports: readonly ServedPort[];
  readonly subsets: Subsets;
}

const LOCAL = /^([^.]+)\.([^.]+)\.svc\.cluster\.local$/;

/** Names to watch for it: one for each port, and for each port of each subset, by which its instances are told apart. */
export function assignmentNames({ host, ports, subsets }: ToldService): readonly string[] {
  return ports.flatMap(({ number }) => ["", ...subsets.keys()].map((subset) => assignmentName(number, subset, host)));
}

/** @param documents of every kind, as the stream told them */
export function toldServices(documents: readonly Document[]): readonly ToldService[] {
  const rules = documents.filter(({ kind }) => kind === "DestinationRule");
  return documents.flatMap((document) => {
    if (document.kind === "Service") return declared(document, rules);
    return document.kind === "ServiceEntry" ? entry(document, rules) : [];
  });
}

function declared(document: Document, rules: readonly Document[]): readonly ToldService[] {
  const { namespace, name } = document;
  const { ports = [] } = specOf<{ ports?: { port: number; name: string }[] }>(document);
  const host = `${name}.${namespace}.svc.cluster.local`.toLowerCase();
  return [
    {
      ...{ host, namespace, name, ref: { namespace, service: name }, labels: { [SERVICE_LABEL]: name } },
      ports: ports.map(({ port, name: portName }) => ({ number: port, name: portName })),
      subsets: subsetsOf(host, rules),
    },
  ];
}

/** One that selects workloads, which may be pods: those are no documents here. Its hosts share them. */
function entry(document: Document, rules: readonly Document[]): readonly ToldService[] {
  const { namespace, name } = document;
  const spec = specOf<{
    hosts?: string[];
    endpoints?: unknown[];
    ports?: { number?: number; name?: string }[];
    resolution?: string;
    workloadSelector?: { labels?: Record<string, string> };
  }>(document);
  const labels = spec.workloadSelector?.labels ?? {};
  const host = spec.hosts?.[0]?.toLowerCase();
  if (host === undefined || (spec.endpoints?.length ?? 0) > 0 || spec.resolution !== "STATIC") return [];
  if (Object.keys(labels).length === 0) return [];
  const [, service, of] = LOCAL.exec(host) ?? [];
  return [
    {
      ...{ host, namespace, name, labels },
      ref: service !== undefined && of !== undefined ? { namespace: of, service } : undefined,
      ports: (spec.ports ?? []).map((port) => ({ number: port.number ?? 0, name: port.name ?? "" })),
      subsets: subsetsOf(host, rules),
    },
  ];
}

/** Of all rules that may concern it: which of them does is the compiler's say, and a name too many does no harm. */
function subsetsOf(host: string, rules: readonly Document[]): Subsets {
  const found = new Map<string, Readonly<Record<string, string>>>();
  for (const rule of rules) {
    const spec = specOf<{ host?: string; subsets?: { name?: string; labels?: Record<string, string> }[] }>(rule);
    if (!hostCovers(qualifiedHost(spec.host ?? "", rule.namespace), host)) continue;
    for (const { name = "", labels = {} } of spec.subsets ?? []) if (name !== "") found.set(name, labels);
  }
  return found;
}

function specOf<Spec>({ value }: Document): Spec {
  return (value["spec"] ?? {}) as Spec;
}
