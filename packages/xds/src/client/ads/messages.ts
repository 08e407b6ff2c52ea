/** What goes over an aggregated stream, in both forms of the protocol (envoy/service/discovery/v3/discovery.proto). */

export interface AdsProblem {
  /** Of google.rpc.Code. */
  readonly code: number;
  readonly message: string;
}

/** A DiscoveryRequest: the whole list of names each time. */
export interface SotwRequest {
  /** Encoded; only in the first request of a stream. */
  readonly node?: Uint8Array | undefined;
  readonly typeUrl: string;
  readonly version: string;
  readonly names: readonly string[];
  readonly nonce: string;
  readonly error?: AdsProblem | undefined;
}

/** A DeltaDiscoveryRequest: what changed in the list of names, or the answer to an answer. */
export interface DeltaRequest {
  readonly node?: Uint8Array | undefined;
  readonly typeUrl: string;
  readonly subscribe: readonly string[];
  readonly unsubscribe: readonly string[];
  /** Versions by name, of what is still held from another stream. */
  readonly initialVersions: ReadonlyMap<string, string>;
  readonly nonce: string;
  readonly error?: AdsProblem | undefined;
}

/** A resource as it came, not looked into. */
export interface SentResource {
  /** Of the Any, after the last `/`; empty where the resource is absent. */
  readonly type: string;
  /** Part of the answer's bytes. Undefined: only a sign of life, that prolongs the resource's time to live. */
  readonly value: Uint8Array | undefined;
  /** As the wrapper says it; undefined where there is none, and the name is in the message alone. */
  readonly name: string | undefined;
  readonly version: string;
  /** Undefined: it lives until further notice. */
  readonly ttlMs: number | undefined;
}

/** A resource that the server could not give (proposal TP3 of cncf/xds). */
export interface SentError {
  readonly name: string;
  readonly problem: AdsProblem;
}

/** Opened one by one: a thousand at once are a long turn of the event loop. */
export interface SentResources extends Iterable<SentResource> {
  readonly length: number;
  /** @throws {WireError} where its bytes make no sense; those of the others do all the same */
  at(index: number): SentResource;
}

export interface AdsAnswer {
  readonly typeUrl: string;
  /** Of the whole answer; with deltas for the eye alone. */
  readonly version: string;
  readonly nonce: string;
  readonly resources: SentResources;
  /** Always empty in the state-of-the-world form. */
  readonly removed: readonly string[];
  readonly errors: readonly SentError[];
  readonly controlPlane: string | undefined;
}
