/**
 * Everything one client can be told, indexed: what compiled routes and clusters are made of. A new view takes over every
 * index whose documents did not change, so that "same object" means "nothing to do" further on.
 *
 * More than 400 lines on purpose: what was taken over from the view before is decided in one place, in the order of what depends on it.
 */

import type { CircuitBreakerSpec } from "../kind/circuit-breaker.js";
import type { RateLimitSpec } from "../kind/rate-limit.js";
import type { ResilienceSpec } from "../kind/resilience.js";
import type { VirtualServiceSpec } from "../kind/virtual-service.js";
import type { WorkloadEntrySpec } from "../kind/workload-entry.js";
import type { Kind, Resource } from "../resource.js";
import type { Cluster } from "../snapshot/cluster.js";
import { NO_SERVER_POLICY, type ServerPolicy } from "../snapshot/resilience.js";
import type { SecurityPolicy } from "../snapshot/security.js";
import type { ClientContext, MeshSettings } from "../snapshot/snapshot.js";
import type { TelemetryPolicy } from "../snapshot/telemetry.js";
import type { KnownService, Service, ServiceRef } from "../snapshot/workload.js";
import { DeclaredNames, type ToldServices } from "./declared-names.js";
import { type DestinationPolicy, DestinationRuleIndex } from "./destination-rule-index.js";
import { egressServices, NO_EGRESS } from "./egress.js";
import { GATEWAY_ROUTE_KINDS, type GatewayRoute } from "./gateway-parent.js";
import { GatewayRouteIndex } from "./gateway-route-index.js";
import { Generations } from "./generations.js";
import { getOrMake } from "./get-or-make.js";
import { qualifiedHost } from "./host.js";
import { HostPolicyIndex } from "./host-policy-index.js";
import { type ImplicitServices, implicitServices } from "./implicit-services.js";
import { partsWithPort } from "./joined-service.js";
import { KnownNames } from "./known-names.js";
import { type ModeInForce, modeInForce } from "./mesh-mode.js";
import { listChange, sameList } from "./order.js";
import { PeerModes } from "./peer-modes.js";
import { groupByKind, type ResourcesByKind } from "./resources-by-kind.js";
import { changeSums, NO_DOCUMENTS, type RevisionSums } from "./revision.js";
import { isRouted, NOTHING_ROUTED, type RoutedPorts, routedPorts } from "./routed-ports.js";
import type { RefusedDocument } from "./security-documents.js";
import { type CompiledSecurity, compileSecurity } from "./security-policy.js";
import { compileServerPolicy } from "./server-policy.js";
import { documentedAccounts } from "./service-identities.js";
import { type RememberedServices, ServiceMap, visibleServices } from "./service-map.js";
import { serviceMembers } from "./service-members.js";
import { type CompilerSettings, compileSettings } from "./settings.js";
import { type SidecarScope, sidecarScope } from "./sidecar-scope.js";
import { type CompiledTelemetry, compileTelemetry } from "./telemetry.js";
import { type VirtualServiceFacts, VirtualServiceIndex, virtualServiceHosts } from "./virtual-service-index.js";
import { entryWorkload } from "./workload.js";
import { type Members, WorkloadIndex } from "./workload-index.js";

export interface ViewInput {
  readonly resources: readonly Resource[];
  readonly workloads: Members;
  /** See `CompileInput.services`. */
  readonly services?: readonly KnownService[] | undefined;
  readonly client: ClientContext;
  /** See `CompileInput.refusedSecurity`. */
  readonly refusedSecurity?: readonly RefusedDocument[] | undefined;
  /** Every policy is in force, whatever a MeshMode says. */
  readonly withPolicy?: boolean;
}

/** What a document was turned into, kept as long as the document lives. */
interface Remembered extends RememberedServices {
  readonly workloads: WeakMap<Resource, Members>;
  readonly rules: WeakMap<Resource, VirtualServiceFacts>;
  /** Of a DestinationRule its namespace and host. */
  readonly hosts: WeakMap<Resource, readonly string[]>;
  readonly told: ToldServices;
}

const NO_ACCOUNTS: readonly string[] = [];

export class ClientView {
  readonly client: ClientContext;
  readonly mode: ModeInForce;
  readonly settings: CompilerSettings;
  /** The mesh's settings as the client's Sidecar and its mode change them. */
  readonly mesh: MeshSettings;
  readonly services: ServiceMap;
  readonly virtualServices: VirtualServiceIndex;
  readonly gatewayRoutes: GatewayRouteIndex;
  readonly sums: RevisionSums;
  /** For the client's own servers. */
  readonly server: ServerPolicy;
  readonly resources: readonly Resource[];
  readonly peerModes: PeerModes;
  readonly #security: CompiledSecurity;
  readonly #telemetry: CompiledTelemetry;
  readonly #byKind: ResourcesByKind;
  readonly #scope: SidecarScope | undefined;
  readonly #destinationRules: DestinationRuleIndex;
  readonly #circuitBreakers: HostPolicyIndex<Resource<CircuitBreakerSpec>>;
  readonly #resiliences: HostPolicyIndex<Resource<ResilienceSpec>>;
  readonly #rateLimits: HostPolicyIndex<Resource<RateLimitSpec>>;
  readonly #workloads: WorkloadIndex;
  readonly #routed: RoutedPorts;
  /** Of a registry that tells instances only of services in use. */
  readonly #names: KnownNames | undefined;
  readonly #implicit: ImplicitServices;
  /** As far as `#names` concerns them. */
  readonly #declared: DeclaredNames | undefined;
  readonly #remembered: Remembered;
  /** Members by service host, as far as asked for. */
  readonly #members: Generations<Members>;
  #documents: ReadonlyMap<string, Resource> | undefined;

  /** @param previous view of the same client */
  constructor(
    { resources, workloads, services, client, refusedSecurity = [], withPolicy = false }: ViewInput,
    previous: ClientView | undefined,
  ) {
    const { removed, added } = listChange(previous?.resources ?? [], resources);
    const same = previous !== undefined && removed.length === 0 && added.length === 0;
    const old = previous;
    const before = old === undefined ? undefined : old.#byKind;
    this.client = client;
    this.resources = same ? previous.resources : resources;
    this.sums = same ? previous.sums : changeSums(old?.sums ?? NO_DOCUMENTS, removed, added);
    const kinds = same ? previous.#byKind : groupByKind({ removed, added }, before);
    this.#byKind = kinds;

    const [config] = kinds.MeshConfig;
    this.settings =
      old !== undefined && config === before?.MeshConfig[0] ? old.settings : compileSettings(config, old?.settings);
    const { mesh, exportTo } = this.settings;
    const sameSettings = this.settings === old?.settings;
    this.#remembered =
      sameSettings && old
        ? old.#remembered
        : {
            services: new WeakMap(),
            joined: new WeakMap(),
            workloads: new WeakMap(),
            rules: new WeakMap(),
            hosts: new WeakMap(),
            told: new WeakMap(),
          };
    const mode = modeInForce(kinds.MeshMode, client, mesh.rootNamespace);
    this.mode = withPolicy ? { ...mode, mode: "on" } : mode;

    const sameScope = sameSettings && kinds.Sidecar === before?.Sidecar;
    this.#scope = sameScope && old ? old.#scope : sidecarScope(kinds.Sidecar, client, mesh.rootNamespace);
    // Which hosts may be called is routing, not access control: it is dropped with the rest.
    const outboundPolicy = this.mode.mode === "on" ? (this.#scope?.outboundPolicy ?? mesh.outboundPolicy) : "ALLOW_ANY";
    this.mesh = outboundPolicy === mesh.outboundPolicy ? mesh : { ...mesh, outboundPolicy };

    this.virtualServices =
      old !== undefined && sameScope && kinds.VirtualService === before?.VirtualService
        ? old.virtualServices
        : new VirtualServiceIndex(
            kinds.VirtualService,
            {
              client,
              defaultExportTo: exportTo.virtualService,
              scope: this.#scope,
              remembered: this.#remembered.rules,
            },
            sameScope ? old?.virtualServices : undefined,
          );
    this.gatewayRoutes =
      old !== undefined && sameScope && GATEWAY_ROUTE_KINDS.every((kind) => kinds[kind] === before?.[kind])
        ? old.gatewayRoutes
        : new GatewayRouteIndex(
            GATEWAY_ROUTE_KINDS.flatMap((kind): readonly GatewayRoute[] => kinds[kind]),
            client,
            this.#scope,
            old?.gatewayRoutes,
          );
    this.#destinationRules =
      old !== undefined && sameSettings && kinds.DestinationRule === before?.DestinationRule
        ? old.#destinationRules
        : new DestinationRuleIndex(
            kinds.DestinationRule,
            client,
            exportTo.destinationRule,
            mesh.rootNamespace,
            this.#remembered.hosts,
            old === undefined ? undefined : old.#destinationRules,
          );

    const unchanged = <K extends Kind>(kind: K): boolean => sameSettings && kinds[kind] === before?.[kind];
    this.#circuitBreakers =
      old !== undefined && unchanged("CircuitBreaker")
        ? old.#circuitBreakers
        : new HostPolicyIndex(kinds.CircuitBreaker);
    this.#resiliences =
      old !== undefined && unchanged("Resilience") ? old.#resiliences : new HostPolicyIndex(kinds.Resilience);
    this.#rateLimits =
      old !== undefined && unchanged("RateLimit") ? old.#rateLimits : new HostPolicyIndex(kinds.RateLimit);
    const sameServer =
      old !== undefined &&
      this.#resiliences === old.#resiliences &&
      this.#rateLimits === old.#rateLimits &&
      this.mode.mode === old.mode.mode;
    this.server = sameServer ? old.server : this.#serverPolicy();
    const { rootNamespace } = mesh;
    const { security } = this.settings;
    const securityBefore = old === undefined ? undefined : old.#security;
    this.#security = compileSecurity(
      kinds,
      client,
      { settings: security, rootNamespace, refused: refusedSecurity },
      securityBefore,
    );

    this.#telemetry = compileTelemetry(
      kinds.Telemetry,
      client,
      { settings: this.settings.telemetry, rootNamespace },
      old === undefined ? undefined : old.#telemetry,
    );

    this.peerModes = PeerModes.after(old?.peerModes, kinds.PeerAuthentication, rootNamespace);

    const entries = kinds.WorkloadEntry;
    const all = entries.length === 0 ? workloads : [...workloads, ...this.#entryWorkloads(entries)];
    this.#workloads = old === undefined ? WorkloadIndex.create(all) : old.#workloads.with(all);
    const { names, changed } = KnownNames.after(old === undefined ? undefined : old.#names, services);
    this.#names = names;
    const implicitBefore = sameSettings && old ? old.#implicit : undefined;
    this.#implicit = implicitServices(this.#workloads, names, changed, exportTo.service, implicitBefore);
    const sameRules =
      old !== undefined && this.virtualServices === old.virtualServices && this.gatewayRoutes === old.gatewayRoutes;
    this.#routed = sameRules ? old.#routed : this.#routedPorts();
    const sameDeclared =
      old !== undefined &&
      sameScope &&
      kinds.Service === before?.Service &&
      kinds.ServiceEntry === before?.ServiceEntry &&
      (this.#scope?.narrows !== true || sameRules);
    const { replaced } = this.#implicit;
    if (sameDeclared && this.#implicit.services === old.#implicit.services) {
      this.#declared = old.#declared;
      this.services = old.services;
    } else if (sameDeclared && replaced !== undefined && (names === undefined) === (old.#names === undefined)) {
      this.#declared = old.#declared;
      const { byHost } = old.services;
      const own = replaced.flatMap(([earlier, now]) => (byHost.get(now.host) === earlier ? now : []));
      this.services = old.services.with([...own, ...this.#toldNow(changed)]);
    } else {
      const made = this.#visibleServices();
      this.#declared = names && new DeclaredNames(made.values(), (key) => this.document(key), this.#remembered.told);
      for (const service of this.#toldNow()) made.set(service.host, service);
      this.services = ServiceMap.create(made);
    }
    this.#members = new Generations(old === undefined ? undefined : old.#members);
  }

  /** For the client's own servers, in every mode. */
  get security(): SecurityPolicy {
    return this.#security.policy;
  }

  /** Of both sides of the client, in every mode. */
  get telemetry(): TelemetryPolicy {
    return this.#telemetry.policy;
  }

  /** That narrows what is seen. */
  get sidecar(): Resource | undefined {
    return this.#scope?.narrows === true ? this.#scope.resource : undefined;
  }

  service(host: string): Service | undefined {
    return this.services.find(host);
  }

  /** See `Snapshot.egress`. */
  egress(): readonly ServiceRef[] {
    if (this.#names === undefined || this.#scope === undefined) return NO_EGRESS;
    return egressServices(this.#scope, this.services);
  }

  destinationPolicy(host: string, service: Service | undefined): DestinationPolicy | undefined {
    return this.#destinationRules.find(host, service?.namespace ?? this.client.namespace);
  }

  circuitBreaker(host: string, subset: string): Resource<CircuitBreakerSpec> | undefined {
    return this.#circuitBreakers.find(host, this.#levels(this.service(host)?.namespace), subset);
  }

  resilience(host: string): Resource<ResilienceSpec> | undefined {
    return this.#resiliences.find(host, this.#levels(this.service(host)?.namespace));
  }

  /** `namespace/account`, as documents give them to whoever serves it. */
  accounts(service: Service): readonly string[] {
    if (service.implicit) return NO_ACCOUNTS;
    const resources = (service.joins ?? [service]).flatMap((part) => this.document(part.resource) ?? []);
    return documentedAccounts(service, resources, this.members(service), this.#byKind.WorkloadGroup);
  }

  /** @param turn 0 for the first that speaks about the host at this port, 1 for the next … */
  virtualService(host: string, port: number, turn: number): Resource<VirtualServiceSpec> | undefined {
    const scope = this.#scope;
    if (scope?.narrows !== true) return this.virtualServices.find(host, turn);
    for (let at = 0, left = turn; ; at++) {
      const found = this.virtualServices.find(host, at);
      if (found === undefined) return undefined;
      if (!scope.importsVirtualService(found.namespace, virtualServiceHosts(found), port)) continue;
      if (left-- === 0) return found;
    }
  }

  document(key: string): Resource | undefined {
    this.#documents ??= new Map(this.resources.map((resource) => [resource.key, resource]));
    return this.#documents.get(key);
  }

  /** Namespaces whose documents speak to this client about a service, the first one first. */
  #levels(serviceNamespace = this.client.namespace): readonly string[] {
    return [...new Set([this.client.namespace, serviceNamespace, this.mesh.rootNamespace])];
  }

  /** Of the service that the client is. A caller's namespace has no say in it: only its own, and the root namespace. */
  #serverPolicy(): ServerPolicy {
    const { namespace, service } = this.client;
    if (service === "" || this.mode.mode !== "on") return NO_SERVER_POLICY;
    const host = qualifiedHost(service, namespace);
    const levels = [...new Set([namespace, this.mesh.rootNamespace])];
    const limits = levels.flatMap((level) => this.#rateLimits.all(host, level));
    return compileServerPolicy(limits, this.#resiliences.find(host, levels));
  }

  /**
   * Whether a rule may send to the port: a listed one, or, of an implicit service, one that somebody listens on. Who listens
   * where is not known of one that has no process at the moment, or none that the registry told of yet: any will do.
   */
  hasPort(service: Service, port: number): boolean {
    const { namespace, host, implicit, pending } = service;
    const imported = this.#scope?.importsPort(namespace, host, port) !== false || isRouted(this.#routed, host, port);
    if (!imported) return false;
    if (service.ports.some(({ number }) => number === port)) return true;
    if (!implicit) return false;
    const members = this.members(service);
    return (
      pending === true || members.length === 0 || members.some(({ ports }) => ports.some((p) => p.number === port))
    );
  }

  /** Whether a call may address it: not what the Sidecar lets rules alone send to. */
  mayCall(service: Service, port: number): boolean {
    return this.#scope?.seesService(service.namespace, service.host, port) !== false && this.hasPort(service, port);
  }

  /** Workloads of a service, unhealthy ones included. The same list as before when it holds the same objects. */
  members(service: Service): Members {
    return this.#rememberMembers(service.host, () =>
      (service.joins ?? [service]).flatMap((part) => this.#findMembers(part)),
    );
  }

  #rememberMembers(key: string, find: () => Members): Members {
    const known = this.#members.get(key);
    if (known !== undefined) return known;
    const members = sameList(this.#members.earlier(key), find());
    this.#members.set(key, members);
    return members;
  }

  membersOf({ service, host, port }: Cluster): Members {
    const members =
      service.joins === undefined
        ? this.members(service)
        : this.#rememberMembers(`${service.host}:${port}`, () =>
            partsWithPort(service, port).flatMap((part) => this.#findMembers(part)),
          );
    if (members.length > 0 || !standsForItself(service)) return members;
    return [entryWorkload(host, service.namespace, { address: host })];
  }

  #findMembers(service: Service): Members {
    const resource = service.implicit ? undefined : this.document(service.resource);
    return serviceMembers(service, resource, this.#workloads, this.#remembered.workloads);
  }

  #entryWorkloads(entries: readonly Resource<WorkloadEntrySpec>[]): Members {
    return entries.flatMap((resource) =>
      getOrMake(this.#remembered.workloads, resource, () => [
        entryWorkload(resource.name, resource.namespace, resource.spec, resource.metadata.labels),
      ]),
    );
  }

  #toldNow(changed?: readonly string[]): readonly Service[] {
    const names = this.#names;
    return names === undefined ? [] : (this.#declared?.tell(names, changed) ?? []);
  }

  #visibleServices(): Map<string, Service> {
    const { Service, ServiceEntry } = this.#byKind;
    const sources = { kubernetes: Service, entries: ServiceEntry, implicit: this.#implicit.services.values() };
    const scope = this.#scope;
    return visibleServices(
      sources,
      this.client.namespace,
      this.settings.exportTo.service,
      this.#remembered,
      ({ namespace, host, ports, implicit }) =>
        scope === undefined ||
        this.#routed.has(host) ||
        scope.importsService(namespace, host, implicit ? undefined : ports.map(({ number }) => number)),
    );
  }

  /** None where everything is imported anyway. */
  #routedPorts(): RoutedPorts {
    const scope = this.#scope;
    if (scope?.narrows !== true) return NOTHING_ROUTED;
    const { virtualServices, gatewayRoutes, client } = this;
    const find = virtualServices.delegate.bind(virtualServices);
    return routedPorts(virtualServices.imported, find, gatewayRoutes.backends(scope), scope, client.namespace);
  }
}

/** No workload stands behind it: the host is looked up in the DNS, or used as the caller wrote it. */
function standsForItself({ implicit, resolution }: Service): boolean {
  return !implicit && resolution !== "static";
}
