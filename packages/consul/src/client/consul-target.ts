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
}

export interface ConsulTls {
  /** PEM, in place of the system's roots. */
  readonly ca?: string;
  readonly cert?: string;
  readonly key?: string;
  /** Name expected in the server's certificate, in place of the host's. */
  readonly serverName?: string;
}

/** The address as it may be shown: no token, and what decides where things are read from. */
export function shownTarget({ host, port, dc, prefix, namespace }: ConsulTarget): string {
  const query = new URLSearchParams();
  if (dc !== undefined) query.set("dc", dc);
  if (prefix !== DEFAULT_PREFIX) query.set("prefix", prefix);
  if (namespace !== DEFAULT_NAMESPACE) query.set("namespace", namespace);
  const rest = query.toString();
  return `consul://${host.includes(":") ? `[${host}]` : host}:${port}${rest && `?${rest}`}`;
}

export const DEFAULT_PREFIX = "inmesh";
export const DEFAULT_NAMESPACE = "default";
