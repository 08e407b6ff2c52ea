/** Which control plane, and how: what a URL or a bootstrap file says, read and checked. */

import type { AdsMode } from "../ads/transport.js";

/**
 * What is asked of the control plane. `api`: Istio's own resources. `envoy`: what a sidecar gets. `grpc`: what a gRPC client
 * without a sidecar gets.
 */
export type XdsProfile = "api" | "envoy" | "grpc";

export interface XdsServer {
  /** As gRPC writes it: `host:port`, or `unix:/path`. */
  readonly address: string;
  /** Undefined: plain text. */
  readonly tls: XdsServerTls | undefined;
  /** Of a bearer token, read for each stream. */
  readonly tokenFile: string | undefined;
  /** As the bootstrap names them, known here or not. */
  readonly features: ReadonlySet<string>;
}

/** Paths of PEM files, read for each stream; Differs: a bootstrap's `refresh_interval` has no meaning then. */
export interface XdsServerTls {
  /** Undefined: the roots of the system. */
  readonly caFile: string | undefined;
  readonly certFile: string | undefined;
  readonly keyFile: string | undefined;
  /** Undefined: the host of the address. */
  readonly serverName: string | undefined;
  /** The process shows the certificate that it has in the mesh. */
  readonly meshIdentity: boolean;
}

export interface XdsAuthority {
  /** Empty: those of the bootstrap. */
  readonly servers: readonly XdsServer[];
  /** Name of a listener, `%s` for the target. */
  readonly listenerTemplate: string;
}

/** Where certificates are that resources name by a provider instance (gRFC A29). */
export interface CertificateFiles {
  readonly certFile: string | undefined;
  readonly keyFile: string | undefined;
  readonly caFile: string | undefined;
  /** In ms. */
  readonly refreshMs: number;
}

export interface XdsTarget {
  readonly profile: XdsProfile;
  readonly mode: AdsMode;
  /** The preferred one first; at least one. */
  readonly servers: readonly XdsServer[];
  readonly authorities: ReadonlyMap<string, XdsAuthority>;
  /** As far as a bootstrap says it. */
  readonly node: BootstrapNode;
  /** Name of a listener for a target without an authority, `%s` for the target. */
  readonly listenerTemplate: string;
  /** Name of the listener of a server, `%s` for `address:port`; undefined: servers ask for none. */
  readonly serverListenerTemplate: string | undefined;
  /** By instance name. */
  readonly certificates: ReadonlyMap<string, CertificateFiles>;
  /** The cluster that the token is of, as istiod knows it; undefined: its own. */
  readonly cluster: string | undefined;
  /** A cluster whose TLS names no server is called at any server that its roots vouch for, as Envoy and gRPC do. */
  readonly acceptsUnnamed: boolean;
  /** What a bootstrap has and nobody here can use, for people. */
  readonly unusable: readonly string[];
}

export interface BootstrapNode {
  readonly id?: string;
  readonly cluster?: string;
  readonly locality?: { readonly region?: string; readonly zone?: string; readonly sub_zone?: string };
  readonly metadata?: Readonly<Record<string, unknown>>;
}

/** Each generator of istiod works best in one form: see docs of the client. */
export const PROFILE_MODES: Readonly<Record<XdsProfile, AdsMode>> = { api: "delta", envoy: "delta", grpc: "sotw" };
