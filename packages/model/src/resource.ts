/** What a policy document is, before and after validation. */

/** The kinds this version reads. One schema file per kind in `./kind/`. */
export const KINDS = [
  "VirtualService",
  "DestinationRule",
  "ServiceEntry",
  "WorkloadEntry",
  "WorkloadGroup",
  "Sidecar",
  "MeshConfig",
  "Service",
  "Namespace",
  "MeshMode",
  "HTTPRoute",
  "GRPCRoute",
  "CircuitBreaker",
  "Resilience",
  "RateLimit",
  "PeerAuthentication",
  "RequestAuthentication",
  "AuthorizationPolicy",
  "Telemetry",
] as const;

export type Kind = (typeof KINDS)[number];

/** Position in a file, both 1-based; 0 when unknown. */
export interface Position {
  readonly line: number;
  readonly column: number;
}

export type Path = readonly (string | number)[];

/** Where a document was written. */
export interface Origin {
  /** As the reader named it (relative to the registry folder, or the argument typed); empty for no file. */
  readonly file: string;
  /** Start of the document. */
  readonly line: number;
  readonly column: number;
  /**
   * Grows with the order in which a registry got its documents, where it keeps one: decides "older wins" between those
   * that say the same creation time, or none.
   */
  readonly order?: number;
  /** Position of a field, or of its nearest existing ancestor. May parse the text again: not for hot paths. */
  locate(path: Path): Position;
}

export interface ResourceRef {
  readonly kind: string;
  readonly namespace: string;
  readonly name: string;
}

/** One document of a known kind, parsed but not validated. Plain data: no prototype, no shared references. */
export interface Document extends ResourceRef {
  /** `Kind/namespace/name`: the identity of the resource in the mesh. */
  readonly key: string;
  readonly apiVersion: string;
  /** The whole document as data. Objects have a null prototype: `__proto__` is a key like any other. */
  readonly value: Readonly<Record<string, unknown>>;
  readonly origin: Origin;
  /** Hash of the content, hex: two documents with the same hash say the same thing. */
  readonly hash: string;
}

export interface ObjectMeta {
  readonly name: string;
  readonly namespace: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly annotations: Readonly<Record<string, string>>;
  /**
   * RFC 3339, one-second resolution; decides "older wins". Absent: after those that have one. Equals are ordered by their
   * registry (`Origin.order`), then by name, then by namespace.
   */
  readonly creationTimestamp?: string;
}

/** A validated document. `Spec` is the schema's output: Istio's field names, duration strings kept as written. */
export interface Resource<Spec = unknown> extends ResourceRef {
  readonly key: string;
  readonly apiVersion: string;
  readonly kind: Kind;
  readonly metadata: ObjectMeta;
  readonly spec: Spec;
  readonly origin: Origin;
  readonly hash: string;
}

export function resourceKey({ kind, namespace, name }: ResourceRef): string {
  return `${kind}/${namespace}/${name}`;
}
