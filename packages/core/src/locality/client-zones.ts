/** Where the processes of the client's own service run, for zone awareness: Envoy's local cluster. */

import { clusterName, type EndpointSet, type Service, type Snapshot } from "@inmesh/model";
import { type ClientZones, zoneKey } from "./group-endpoints.js";

export class ClientZoneReader {
  #set: EndpointSet | undefined;
  #zones: ClientZones;
  readonly #onNeed: (service: Service) => void;

  /** @param onNeed told of the client's service whenever its endpoints are looked at */
  constructor(onNeed: (service: Service) => void) {
    this.#onNeed = onNeed;
  }

  /** @returns the same object until who runs where changes; undefined for a client of no service */
  read(snapshot: Snapshot | undefined): ClientZones {
    const service = snapshot && serviceOfClient(snapshot);
    if (service !== undefined) this.#onNeed(service);
    const set = snapshot && service && endpointsOf(snapshot, service);
    if (set === this.#set) return this.#zones;
    this.#set = set;
    this.#zones = set && countByZone(set);
    return this.#zones;
  }
}

function serviceOfClient({ services, client }: Snapshot): Service | undefined {
  if (client.service === "") return undefined;
  for (const service of services.values()) {
    const { name, namespace, ports } = service;
    if (name === client.service && namespace === client.namespace && ports[0] !== undefined) return service;
  }
  return undefined;
}

function endpointsOf(snapshot: Snapshot, { host, ports }: Service): EndpointSet | undefined {
  const cluster = snapshot.cluster(clusterName(ports[0]!.number, "", host)); // chosen for having one
  const set = cluster && snapshot.endpoints(cluster);
  return set === undefined || set.endpoints.length === 0 ? undefined : set;
}

function countByZone({ endpoints }: EndpointSet): ReadonlyMap<string, number> {
  const counts = new Map<string, number>();
  for (const { locality } of endpoints) {
    const zone = zoneKey(locality);
    counts.set(zone, (counts.get(zone) ?? 0) + 1);
  }
  return counts;
}
