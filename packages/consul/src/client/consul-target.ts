/** Which Consul, and as whom: what `consul://…` and Consul's own environment variables say. */

export interface ConsulTarget {
  readonly host: string;
  readonly port: number;
  readonly secure: boolean;
  /** A secret: never shown. */
  readonly token?: string;
  /** Datacenter that is asked; absent: the agent's own. */
  readonly dc?: string;
  /** Of every key of ours in the key-value store, without slashes around it. */
  readonly prefix: string;
  /** Namespace of the mesh in which services live that say nothing of one. */
  readonly namespace: string;
  readonly tls?: ConsulTls;
  /** What is made of instances of others whose checks warn: called, with the weight they name for that, or not. @default "in" */
  readonly warning?: "in" | "out";
  /** Prepared queries by name, each a service of the mesh. */
  readonly queries?: readonly string[];
  /** False: Consul's own config entries are not read, which saves a watch for each of their kinds. @default true */
  readonly entries?: boolean;
  /**
   * Instances are those that Connect has: of services that speak it themselves, and sidecars before others. What has neither
   * is not called, as no sidecar would. @default false
   */
  readonly connect?: boolean;
}

export interface ConsulTls {
  /** PEM, in place of the system's roots. */
  readonly ca?: string;
  readonly cert?: string;
  readonly key?: string;
  /** Name expected in the server's certificate, in place of the host's. */
  readonly serverName?: string;
}

export const DEFAULT_PREFIX = "inmesh";
export const DEFAULT_NAMESPACE = "default";
export const PLAIN_SCHEME = "consul:";
export const SECURE_SCHEME = "consul+https:";

/** The address as it may be shown: no token, and what decides where things are read from. */
export function shownTarget({ host, port, secure, dc, prefix, namespace }: ConsulTarget): string {
  const query = new URLSearchParams();
  if (dc !== undefined) query.set("dc", dc);
  if (prefix !== DEFAULT_PREFIX) query.set("prefix", prefix);
  if (namespace !== DEFAULT_NAMESPACE) query.set("namespace", namespace);
  const rest = query.toString();
  const scheme = secure ? SECURE_SCHEME : PLAIN_SCHEME;
  return `${scheme}//${host.includes(":") ? `[${host}]` : host}:${port}${rest && `?${rest}`}`;
}
