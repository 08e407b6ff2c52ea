/**
 * Validated documents and running workloads, as one client sees them, compiled into an immutable Snapshot.
 *
 * Pure: the same input gives the same answers. With `previous` everything that did not change keeps its object, and the
 * cost follows the change, not the size of the mesh. Virtual hosts, clusters and endpoints are made on first use.
 * See docs/design/2026-11-21-snapshot.md.
 */

import type { Problem } from "../problem.js";
import type { Resource, ResourceRef } from "../resource.js";
import { type Cluster, clusterName } from "../snapshot/cluster.js";
import type { ServerPolicy } from "../snapshot/resilience.js";
import type { RouteTable } from "../snapshot/route.js";
import type { SecurityPolicy } from "../snapshot/security.js";
import type { ClientContext, MeshSettings, Mode, Snapshot } from "../snapshot/snapshot.js";
import type { TelemetryPolicy } from "../snapshot/telemetry.js";
import type { EndpointSet, KnownService, Service, ServiceRef, Workload } from "../snapshot/workload.js";
import { compileCluster } from "./cluster.js";
import { compileEndpoints } from "./endpoints.js";
import { Generations } from "./generations.js";
import { Memo } from "./memo.js";
import {
  accountsOf,
  breakerOf,
  hasPort,
  peerModeOf,
  peerSourceOf,
  policyOf,
  resilienceOf,
  serviceOf,
} from "./questions.js";
import { revisionText } from "./revision.js";
import { CompiledRouteTable } from "./route-table.js";
import type { RefusedDocument } from "./security-documents.js";
import { ClientView } from "./view.js";

export interface CompileInput {
  /** Validated. An unchanged document must be the same object as last time, or its work is done again. */
  readonly resources: readonly Resource[];
  /** Leases as workloads; WorkloadEntry resources join them here. The same holds for their identity. */
  readonly workloads: readonly Workload[];
  /**
   * Of a registry that tells instances only of services in use: every name there is. The same holds for their identity.
   * Absent: `workloads` say it all.
   */
  readonly services?: readonly KnownService[];
  readonly client: ClientContext;
  /** Security documents that were refused and have no predecessor: they deny what they select. @default none */
  readonly refusedSecurity?: readonly RefusedDocument[];
  /** Findings so far, kept with the snapshot as they are. */
  readonly problems: readonly Problem[];
  readonly version: number;
}

/** @param previous the snapshot before, of the same process */
export function compile(input: CompileInput, previous?: Snapshot): Snapshot {
  return new CompiledSnapshot(input, previous instanceof CompiledSnapshot ? previous : undefined);
}

/** Clusters of wildcard services have the hosts that requests bring. */
const MAX_ENDPOINT_SETS = 10_000;

interface KnownEndpoints {
  readonly cluster: Cluster;
  readonly members: readonly Workload[];
  readonly set: EndpointSet;
}

class CompiledSnapshot implements Snapshot {
  readonly version: number;
  readonly client: ClientContext;
  readonly problems: readonly Problem[];
  readonly routes: RouteTable;
  readonly #view: ClientView;
  readonly #table: CompiledRouteTable;
  readonly #clusters: Memo<Cluster | undefined>;
  readonly #endpoints: Generations<KnownEndpoints>;
  readonly #input: CompileInput;
  #resources: ReadonlyMap<string, string> | undefined;
  #withPolicy: CompiledSnapshot | undefined;
  /** The newest one in mode `on`, until `withPolicy` takes over what it made. */
  #olderPolicy: CompiledSnapshot | undefined;

  constructor(input: CompileInput, previous: CompiledSnapshot | undefined, withPolicy = false) {
    const { resources, workloads, services, client, problems, version, refusedSecurity } = input;
    this.#input = input;
    const old = previous !== undefined && isSameClient(previous.client, client) ? previous : undefined;
    this.version = version;
    this.problems = problems;
    this.client = old?.client ?? client;
    this.#view = new ClientView(
      { resources, workloads, services, client: this.client, refusedSecurity, withPolicy },
      old === undefined ? undefined : old.#view,
    );
    const earlier = old === undefined ? [] : [old, old.#withPolicy, old.#olderPolicy];
    const kept = earlier.find((each) => each?.mode === this.mode && each.#view.settings === this.#view.settings);
    this.#table = new CompiledRouteTable(this.#view, kept === undefined ? undefined : kept.#table);
    this.routes = this.#table;
    this.#clusters = new Memo(this.#view, kept === undefined ? undefined : kept.#clusters);
    if (this.mode !== "on") this.#olderPolicy = earlier.find((each) => each?.mode === "on");
    this.#endpoints = new Generations(old === undefined ? undefined : old.#endpoints, MAX_ENDPOINT_SETS);
  }

  get revision(): string {
    return revisionText(this.#view.sums);
  }

  get mesh(): MeshSettings {
    return this.#view.mesh;
  }

  get mode(): Mode {
    return this.#view.mode.mode;
  }

  get modeResource(): ResourceRef | undefined {
    return refOf(this.#view.mode.resource);
  }

  get sidecar(): ResourceRef | undefined {
    return refOf(this.#view.sidecar);
  }

  get egress(): readonly ServiceRef[] {
    return this.#view.egress();
  }

  /** Made when it is asked for: in mode `off` that is only by somebody who wants an explanation. */
  get withPolicy(): Snapshot | undefined {
    if (this.mode === "on") return undefined;
    this.#withPolicy ??= this.#compileWithPolicy();
    return this.#withPolicy;
  }

  get server(): ServerPolicy {
    return this.#view.server;
  }

  get security(): SecurityPolicy {
    return this.#view.security;
  }

  get telemetry(): TelemetryPolicy {
    return this.#view.telemetry;
  }

  get services(): ReadonlyMap<string, Service> {
    return this.#view.services.byHost;
  }

  get resources(): ReadonlyMap<string, string> {
    this.#resources ??= new Map(this.#view.resources.map(({ key, hash }) => [key, hash]));
    return this.#resources;
  }

  resource(key: string): Resource | undefined {
    return this.#view.document(key);
  }

  cluster(name: string): Cluster | undefined {
    return this.#clusters.get(name, (ask) => {
      const target = parseClusterName(name);
      if (target === undefined) return undefined;
      const service = ask(serviceOf, target.host);
      if (service === undefined || !ask(hasPort, target.host, target.port)) return undefined;
      const rule = ask(policyOf, target.host);
      const { client, settings } = this.#view;
      const off = this.mode !== "on";
      const ours = off
        ? {}
        : {
            breaker: ask(breakerOf, target.host, target.subset),
            resilience: ask(resilienceOf, target.host),
          };
      const peerMode = ask(peerModeOf, service.namespace);
      const strictBy = peerMode === "STRICT" ? ask(peerSourceOf, service.namespace) : null;
      const accounts = ask(accountsOf, target.host);
      const servers = { peerMode, strictBy, accounts: accounts === "" ? [] : accounts.split(" ") };
      return compileCluster({ ...target, service }, rule, { client, settings, off, servers, ...ours });
    });
  }

  endpoints(cluster: Cluster): EndpointSet {
    const known = this.#endpoints.get(cluster.name) ?? this.#endpoints.earlier(cluster.name);
    const members = this.#view.membersOf(cluster);
    const unchanged = known?.cluster === cluster && known.members === members;
    const set = unchanged ? known.set : compileEndpoints(cluster, members, known?.set);
    this.#endpoints.set(cluster.name, { cluster, members, set });
    return set;
  }

  #compileWithPolicy(): CompiledSnapshot {
    const made = new CompiledSnapshot(this.#input, this, true);
    this.#olderPolicy = undefined; // made over what it kept
    return made;
  }
}

function refOf(resource: Resource | undefined): ResourceRef | undefined {
  return resource && { kind: resource.kind, namespace: resource.namespace, name: resource.name };
}

/** `outbound|80|v1|reviews.shop.svc.cluster.local`; undefined for anything else. */
function parseClusterName(name: string): { port: number; subset: string; host: string } | undefined {
  const [, portText = "", subset = "", host = ""] = name.split("|");
  const port = Number(portText);
  return clusterName(port, subset, host) === name ? { port, subset, host } : undefined;
}

function isSameClient(a: ClientContext, b: ClientContext): boolean {
  return (
    a.namespace === b.namespace &&
    a.service === b.service &&
    a.serviceAccount === b.serviceAccount &&
    sameEntries(a.labels, b.labels) &&
    sameEntries({ ...a.locality }, { ...b.locality })
  );
}

function sameEntries(a: Readonly<Record<string, string>>, b: Readonly<Record<string, string>>): boolean {
  const keys = Object.keys(a);
  return keys.length === Object.keys(b).length && keys.every((key) => a[key] === b[key]);
}
