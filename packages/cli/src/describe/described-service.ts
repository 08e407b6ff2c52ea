/** Everything that applies to one service, gathered from a registry as its callers compile it. */

import type { Lease } from "@inmesh/core";
import { type ServiceView, snapshotView, tlsText, type VirtualHostView } from "@inmesh/core/admin";
import {
  type ClientContext,
  clusterName,
  type Document,
  type Problem,
  type Route,
  resourceKey,
  type Snapshot,
  type TrafficPolicy,
} from "@inmesh/model";
import { hostCovers, qualifiedHost } from "@inmesh/model/internal";
import { judgeDocuments } from "../input/judge.js";
import { judgeSet } from "../input/judge-set.js";
import type { AdminClient } from "../live/admin-client.js";
import { clientContext } from "../registry/client-context.js";
import type { OpenRegistry } from "../registry/open-registry.js";
import { workloadsOf } from "../registry/workload.js";
import { type DescribedCaller, describeCallers } from "./described-callers.js";
import { type DescribedServer, describeServer } from "./described-server.js";
import { type DescribedSuspects, describeSuspects } from "./described-suspects.js";

export interface DescribedService {
  readonly service: ServiceView;
  /** Of its own processes: MeshMode may name them. */
  readonly mode: string;
  readonly endpoints: readonly {
    /** `address:port`. */
    readonly id: string;
    readonly version: string;
    readonly labels: Readonly<Record<string, string>>;
    readonly workloads: readonly string[];
  }[];
  /** Instances that are in use although the registry lost them. */
  readonly suspects: readonly DescribedSuspects[];
  readonly virtualHosts: readonly VirtualHostView[];
  /** `Kind/ns/name` of the DestinationRule in charge, or null. */
  readonly destinationRule: string | null;
  readonly policy: TrafficPolicy | null;
  /** Of every port and subset whose connections are encrypted, in words. */
  readonly tls: readonly { readonly port: number; readonly subset: string; readonly text: string }[];
  readonly subsets: readonly {
    readonly name: string;
    readonly labels: Readonly<Record<string, string>>;
    readonly endpoints: number;
  }[];
  /** What its own processes let in, and what they have counted; null where they let everything in. */
  readonly server: DescribedServer | null;
  /** Processes that called it, by cluster; empty where policy neither limits nor breaks. */
  readonly callers: readonly DescribedCaller[];
  /** Documents that choose its processes, or its callers by its host: Sidecars, MeshModes, RateLimits, security. */
  readonly selectedBy: readonly string[];
  /** `namespace/service` of running processes that do not see it. */
  readonly hiddenFrom: readonly string[];
  readonly problems: readonly Problem[];
  /** `file:line` by resource, for the ones above. */
  readonly places: Readonly<Record<string, string>>;
}

/** What prints it needs, and JSON does not hold. */
export interface Described extends DescribedService {
  /** Per virtual host, in its order. */
  readonly routes: readonly (readonly Route[])[];
}

/** Kinds that are told in other parts of a description, or choose no processes. */
const TOLD = [
  "VirtualService",
  "DestinationRule",
  "ServiceEntry",
  "Service",
  "WorkloadEntry",
  "WorkloadGroup",
  "Namespace",
  "MeshConfig",
];

/** Kinds that name a host, whose callers or processes they are for. */
const BY_HOST = ["CircuitBreaker", "Resilience", "RateLimit"];

/**
 * @param from whose view; undefined: a caller of the service's own namespace
 * @param client for what the service's own processes have counted
 */
export async function describeService(
  registry: OpenRegistry,
  service: ServiceView,
  from: string | undefined,
  client: AdminClient,
): Promise<Described> {
  const { view } = registry;
  const { namespace, host } = service;
  const { snapshot } = await registry.viewOf(clientContext(from, namespace, view.leases));
  const views = snapshotView(snapshot, []).virtualHosts;
  const hosts = snapshot.routes.all().filter(({ name }) => name.slice(0, name.lastIndexOf(":")) === host);
  const own = view.leases.filter((lease) => lease.service === service.name && lease.namespace === namespace);
  const [port] = service.ports;
  const cluster = port === undefined ? undefined : snapshot.cluster(clusterName(port.number, "", host));
  const rule = cluster?.resource == null ? null : resourceKey(cluster.resource);
  const subsets = subsetsOf(rule, view.documents, snapshot, service);
  const selectedBy = view.documents
    .filter((document) => selects(document, service, namespace, own))
    .map(({ key }) => key);
  const keys = new Set([
    service.resource,
    rule ?? "",
    ...selectedBy,
    ...hosts.flatMap(({ resource, routes }) =>
      [resource, ...routes.map((route) => route.resource)].flatMap((ref) => (ref === null ? [] : resourceKey(ref))),
    ),
  ]);
  keys.delete("");
  const [first] = own;
  const self = first === undefined ? { namespace, service: service.name, labels: {} } : contextOf(first);
  const { snapshot: ownView } = await registry.viewOf(self);
  return {
    service,
    mode: (first === undefined ? snapshot : ownView).mode,
    endpoints: endpointsOf(snapshot, service),
    suspects: await describeSuspects(service, view.leases, client),
    virtualHosts: views.filter(({ name }) => hosts.some((each) => each.name === name)),
    destinationRule: rule,
    policy: cluster?.policy ?? null,
    tls: encrypted(snapshot, service, ["", ...subsets.map(({ name }) => name)]),
    subsets,
    server: await describeServer(ownView.server, own, client),
    callers: await describeCallers(
      snapshot,
      service,
      subsets.map(({ name }) => name),
      view.leases,
      client,
    ),
    selectedBy,
    hiddenFrom: await hiddenFrom(registry, host),
    problems: problemsOf(registry, keys),
    places: Object.fromEntries(
      view.documents
        .filter(({ key }) => keys.has(key))
        .map(({ key, origin }) => [key, origin.file === "" ? "" : `${origin.file}:${origin.line}`]),
    ),
    routes: hosts.map(({ routes }) => routes),
  };
}

function encrypted(
  snapshot: Snapshot,
  { host, ports }: ServiceView,
  subsets: readonly string[],
): DescribedService["tls"] {
  return ports.flatMap(({ number: port }) =>
    subsets.flatMap((subset) => {
      const cluster = snapshot.cluster(clusterName(port, subset, host));
      if (cluster === undefined) return [];
      const { mode, auto } = cluster.policy.tls;
      return mode === "DISABLE" && auto !== true ? [] : [{ port, subset, text: tlsText(cluster) }];
    }),
  );
}

function endpointsOf(snapshot: Snapshot, { host, ports }: ServiceView): DescribedService["endpoints"] {
  const found = new Map<string, DescribedService["endpoints"][number]>();
  for (const { number } of ports) {
    const cluster = snapshot.cluster(clusterName(number, "", host));
    if (cluster === undefined) continue;
    for (const { id, labels, workloads } of snapshot.endpoints(cluster).endpoints) {
      found.set(id, { id, version: labels["version"] ?? "", labels, workloads });
    }
  }
  return [...found.values()].sort((a, b) =>
    a.version === b.version ? (a.id < b.id ? -1 : 1) : a.version < b.version ? -1 : 1,
  );
}

function subsetsOf(
  rule: string | null,
  documents: readonly Document[],
  snapshot: Snapshot,
  { host, ports }: ServiceView,
): DescribedService["subsets"] {
  const spec = documents.find(({ key }) => key === rule)?.value["spec"] as { readonly subsets?: unknown } | undefined;
  const subsets = Array.isArray(spec?.subsets) ? (spec.subsets as { readonly name?: unknown }[]) : [];
  return subsets.flatMap((subset) => {
    if (typeof subset?.name !== "string") return [];
    const cluster = snapshot.cluster(clusterName(ports[0]?.number ?? 80, subset.name, host));
    if (cluster === undefined) return [];
    const endpoints = snapshot.endpoints(cluster).endpoints.length;
    return [{ name: subset.name, labels: cluster.labels, endpoints }];
  });
}

/** In its namespace, or in that of the mesh; with a selector that fits one of its processes, or with none. */
function selects(
  { kind, namespace, value }: Document,
  { host }: ServiceView,
  own: string,
  leases: readonly Lease[],
): boolean {
  if (BY_HOST.includes(kind)) {
    const { host: named } = (value["spec"] ?? {}) as { readonly host?: unknown };
    return typeof named === "string" && hostCovers(qualifiedHost(named, namespace), host);
  }
  if (TOLD.includes(kind) || (namespace !== own && namespace !== "istio-system")) return false;
  const spec = (value["spec"] ?? {}) as {
    readonly selector?: { readonly matchLabels?: Readonly<Record<string, string>> };
    readonly workloadSelector?: { readonly labels?: Readonly<Record<string, string>> };
  };
  const wanted = Object.entries(spec.selector?.matchLabels ?? spec.workloadSelector?.labels ?? {});
  return wanted.length === 0 || leases.some(({ labels }) => wanted.every(([name, label]) => labels[name] === label));
}

async function hiddenFrom(registry: OpenRegistry, host: string): Promise<string[]> {
  const hidden = new Set<string>();
  for (const lease of registry.view.leases) {
    const { snapshot } = await registry.viewOf(contextOf(lease));
    if (!snapshot.services.has(host)) hidden.add(`${lease.namespace}/${lease.service}`);
  }
  return [...hidden].sort();
}

function contextOf({ namespace, service, labels, serviceAccount, locality }: Lease): ClientContext {
  return {
    ...{ namespace, service, labels },
    ...(serviceAccount !== undefined && { serviceAccount }),
    ...(locality !== undefined && { locality }),
  };
}

function problemsOf({ view }: OpenRegistry, keys: ReadonlySet<string>): Problem[] {
  const all = judgeSet(judgeDocuments(view.documents), workloadsOf(view));
  return [...view.problems, ...all].filter(({ resource }) => keys.has(resource));
}
