/** Services, workloads and endpoints: who can be called, and where they run. */

/** Application protocols that a port may name, after policy-semantics §0.8. */
export const PROTOCOLS = [
  "http",
  "http2",
  "grpc",
  "grpc-web",
  "https",
  "tls",
  "tcp",
  "udp",
  "mongo",
  "redis",
  "mysql",
] as const;

/** `unknown`: the port names none; an HTTP client treats it as HTTP. */
export type Protocol = (typeof PROTOCOLS)[number] | "unknown";

export interface ServicePort {
  /** The service port: what a caller addresses. */
  readonly number: number;
  readonly name: string;
  readonly protocol: Protocol;
  /** Workload port behind it, by number or by name; absent: the endpoint's own mapping, else the same number. */
  readonly targetPort?: number | string;
}

/** `passThrough` (Istio's NONE): use the address the caller asked for. */
export type Resolution = "static" | "dns" | "dnsRoundRobin" | "passThrough" | "dynamicDns";

/** A service by its short name and its namespace, as registries name it. */
export interface ServiceRef {
  readonly namespace: string;
  readonly service: string;
}

/** One that a registry knows by name. */
export interface KnownService extends ServiceRef {
  /** Whether its instances have been told: all of them, or none because there is none. */
  readonly loaded: boolean;
  /** Whether policy for it alone has been told. Absent where that is not told by use: there is none, or everybody is told. */
  readonly rulesLoaded?: boolean;
  /** SPIFFE ids of whoever may serve it, these and nobody else, where the registry knows. */
  readonly servedBy?: readonly string[];
}

export interface Service {
  /** Fully qualified and lower-case: `reviews.shop.svc.cluster.local`, or a ServiceEntry host (wildcards included). */
  readonly host: string;
  readonly name: string;
  readonly namespace: string;
  readonly ports: readonly ServicePort[];
  /** True for a service that exists because a workload said so (a lease): every port is then its own port, 80 the first listener. */
  readonly implicit: boolean;
  readonly resolution: Resolution;
  readonly location: "internal" | "external";
  /** An external one that baggage is carried to. */
  readonly takesBaggage?: true;
  /** Namespaces that see it: `*`, names, or empty for nobody. */
  readonly exportTo: readonly string[];
  /** Virtual addresses (ServiceEntry.addresses, clusterIP): a call to one of them is a call to the service. */
  readonly addresses: readonly string[];
  readonly subjectAltNames: readonly string[];
  /** See `KnownService`. */
  readonly servedBy?: readonly string[];
  /** trafficDistribution: endpoints near the caller come first, outlierDetection or not. Absent: any. */
  readonly prefers?: "sameZone" | "sameNode";
  /** `Kind/ns/name` of what declares it; empty for implicit ones. */
  readonly resource: string;
  /** ServiceEntries of one namespace that declare this host together, each as if it were alone, the oldest first. */
  readonly joins?: readonly Service[];
  /**
   * Names under which a registry that tells instances only of services in use may have its instances: whoever calls it says
   * that they are in use. Absent where everything is told, and where instances come from elsewhere.
   */
  readonly knownAs?: readonly ServiceRef[];
  /**
   * The instances of some of `knownAs` are not told yet: that it has no endpoint says nothing. An implicit service takes calls
   * to any port meanwhile.
   */
  readonly pending?: true;
  /** Policy for it alone is told while this one of `knownAs` is said to be in use. Absent where it does not depend on that. */
  readonly rulesOnUse?: ServiceRef;
  /** It is not told yet: calls wait for it. */
  readonly rulesPending?: true;
}

export interface Locality {
  readonly region: string;
  readonly zone: string;
  readonly subZone: string;
}

/** One running instance as its registry knows it. Source of endpoints. */
export interface Workload {
  /** Unique in its namespace: the lease's or the WorkloadEntry's name. */
  readonly name: string;
  readonly namespace: string;
  /** Service it says it belongs to (leases); WorkloadEntries are chosen by labels instead. */
  readonly service?: string;
  /** IP, host name or `unix://` path. */
  readonly address: string;
  /** In order of listening: the first one answers for service port 80 of an implicit service. */
  readonly ports: readonly WorkloadPort[];
  readonly labels: Readonly<Record<string, string>>;
  readonly locality?: Locality;
  readonly weight: number;
  readonly serviceAccount?: string;
  /** A process of the mesh, which has an identity of its own wherever the mesh has any: a lease, or a document that says so. */
  readonly member?: boolean;
  readonly healthy: boolean;
}

export interface WorkloadPort {
  readonly number: number;
  readonly name: string;
}

/** Address of a workload port. Equal content keeps the same object from one snapshot to the next. */
export interface Endpoint {
  /** `address:port`, the identity under which all state of the endpoint is kept. */
  readonly id: string;
  readonly address: string;
  /** Name that `address` was looked up from, in the process that calls it; absent where the registry has the address. */
  readonly dnsName?: string;
  /** Name of the endpoint itself, where its registry gives it one. */
  readonly hostname?: string;
  readonly port: number;
  readonly weight: number;
  readonly labels: Readonly<Record<string, string>>;
  readonly locality?: Locality;
  readonly serviceAccount?: string;
  /** Called over TLS under auto mTLS, see `ClientTls.auto`. @default false */
  readonly member?: boolean;
  /** Workload behind it; several when processes share one port. */
  readonly workloads: readonly string[];
}

/** All endpoints of one cluster. A new object only when its content changed. */
export interface EndpointSet {
  readonly cluster: string;
  readonly endpoints: readonly Endpoint[];
  /** Requests that are turned away before an endpoint is picked, because its control plane wants so. Absent: none. */
  readonly drops?: readonly DroppedShare[];
}

/** A share of the requests to a cluster; each is drawn for by itself. */
export interface DroppedShare {
  readonly category: string;
  /** 0–1 */
  readonly ratio: number;
}
