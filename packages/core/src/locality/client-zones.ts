/** Where the processes of the client's own service run, for zone awareness: Envoy's local cluster. */

import { clusterName, type EndpointSet, type Snapshot } from "@inmesh/model";
import { type ClientZones, zoneKey } from "./group-endpoints.js";

export class ClientZoneReader {
  #set: EndpointSet | undefined;
  #zones: ClientZones;

  /** @returns the same object until who runs where changes; undefined for a client of no service */
  read(snapshot: Snapshot | undefined): ClientZones {
    const set = snapshot && endpointsOfClient(snapshot);
    if (set === this.#set) return this.#zones;
    this.#set = set;
    this.#zones = set && countByZone(set);
    return this.#zones;
  }
}

function endpointsOfClient(snapshot: Snapshot): EndpointSet | undefined {
  const { services, client } = snapshot;
  if (client.service === "") return undefined;
  for (const { name, namespace, host, ports } of services.values()) {
    if (name !== client.service || namespace !== client.namespace || ports[0] === undefined) continue;
    const cluster = snapshot.cluster(clusterName(ports[0].number, "", host));
    const set = cluster && snapshot.endpoints(cluster);
    return set === undefined || set.endpoints.length === 0 ? undefined : set;
  }
  return undefined;
}

function countByZone({ endpoints }: EndpointSet): ReadonlyMap<string, number> {
  const counts = new Map<string, number>();
  for (const { locality } of endpoints) {
    const zone = zoneKey(locality);
    counts.set(zone, (counts.get(zone) ?? 0) + 1);
  }
  return counts;
}
