/**
 * Services of Kubernetes reach this stream as ServiceEntries of istiod's making: `synthetic-<name>`, without endpoints, with the
 * pods' selector. They are turned back into Services, which is what they are: a Service wins over ServiceEntries of its host,
 * and its account may bear its name. Who stands behind it is told by EDS, so the selector is one that only those bear.
 */

/** Label of instances that EDS tells of, with the name of the Service they are of as its value. */
export const SERVICE_LABEL = "xds.inmesh.dev/service";

const PREFIX = "synthetic-";

interface EntryDocument {
  readonly metadata: Readonly<Record<string, unknown>> & { readonly name: string; readonly namespace?: string };
  readonly spec: Readonly<Record<string, unknown>>;
}

interface EntryPort {
  readonly number?: number;
  readonly name?: string;
  readonly protocol?: string;
}

/** Undefined: it is one that somebody wrote. */
export function synthesizedService({ metadata, spec }: EntryDocument): Record<string, unknown> | undefined {
  const { name: entry, namespace = "" } = metadata;
  const name = entry.slice(PREFIX.length);
  const {
    hosts = [],
    ports = [],
    addresses = [],
    exportTo,
  } = spec as {
    hosts?: string[];
    ports?: EntryPort[];
    addresses?: string[];
    exportTo?: string[];
  };
  if (!entry.startsWith(PREFIX) || hosts.join() !== `${name}.${namespace}.svc.cluster.local`) return undefined;
  // Headless ones are said to have it.
  const clusterIPs = addresses.filter((address) => address !== "0.0.0.0" && address !== "::");
  const { annotations } = metadata as { annotations?: Record<string, string> };
  return {
    apiVersion: "v1",
    kind: "Service",
    metadata: {
      ...metadata,
      name,
      ...(exportTo && { annotations: { ...annotations, "networking.istio.io/exportTo": exportTo.join() } }),
    },
    spec: {
      ...(clusterIPs.length > 0 && { clusterIP: clusterIPs[0], clusterIPs }),
      selector: { [SERVICE_LABEL]: name },
      ports: ports.map(servicePort),
    },
  };
}

/** Of several ports each has a name; a single one is given one, under which EDS can say where it is listened to. */
function servicePort({ number = 0, name = "", protocol = "" }: EntryPort): Record<string, unknown> {
  const lower = protocol.toLowerCase();
  return {
    port: number,
    name: name === "" ? `port-${number}` : name,
    ...(lower === "udp" ? { protocol: "UDP" } : { ...(lower !== "unsupportedprotocol" && { appProtocol: lower }) }),
  };
}
