/** What service-defaults say of a service itself: how much its instances take at a time, and where one outside of the mesh is. */

import { isIP } from "node:net";
import { isHttpLike } from "./chain.js";
import type { ServiceDefaults } from "./config-entry.js";

export interface Manifest {
  readonly apiVersion: string;
  readonly kind: string;
  readonly metadata: { readonly name: string; readonly namespace: string };
  readonly spec: Readonly<Record<string, unknown>>;
}

interface Named {
  readonly name: string;
  readonly namespace: string;
  readonly host: string;
}

/** Connections are not limited here: so many requests at a time are what as many HTTP/1.1 connections bring. */
export function serverLimit({ maxInboundConnections }: ServiceDefaults, { name, namespace, host }: Named): Manifest[] {
  if (!(maxInboundConnections > 0)) return [];
  const spec = { host, server: { maxConcurrency: Math.floor(maxInboundConnections) } };
  return [{ apiVersion: "inmesh.dev/v1alpha1", kind: "Resilience", metadata: { name, namespace }, spec }];
}

/** A name is looked up; an address answers to the service's own name. */
export function externalService({ destination }: ServiceDefaults, protocol: string, named: Named): Manifest[] {
  if (destination === undefined) return [];
  const { addresses, port } = destination;
  const names = addresses.filter((address) => isIP(address) === 0);
  const ips = addresses.filter((address) => isIP(address) !== 0);
  const ports = [{ number: port, name: "main", protocol: isHttpLike(protocol) ? protocol.toUpperCase() : "TLS" }];
  const entry = (suffix: string, spec: object): Manifest => ({
    apiVersion: "networking.istio.io/v1",
    kind: "ServiceEntry",
    metadata: { name: `${named.name}${suffix}`, namespace: named.namespace },
    spec: { ...spec, ports, location: "MESH_EXTERNAL", exportTo: ["*"] },
  });
  return [
    ...(names.length > 0 ? [entry("", { hosts: names, resolution: "DNS" })] : []),
    ...(ips.length > 0
      ? [
          entry("-addresses", {
            hosts: [named.host],
            addresses: ips,
            resolution: "STATIC",
            endpoints: ips.map((address) => ({ address })),
          }),
        ]
      : []),
  ];
}
