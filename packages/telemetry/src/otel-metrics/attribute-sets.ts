/** Attributes made once for requests that are alike: the next one of the kind allocates nothing. */

import type { OutcomeRecord } from "@inmesh/core";
import type { Attributes } from "@opentelemetry/api";

interface Kind {
  readonly method: string;
  readonly status: number;
  readonly grpcStatus: number;
  readonly code: string;
  readonly protocol: string;
  readonly attributes: Attributes;
}

/** Places, and kinds of each, remembered at a time: all begin anew beyond. */
const MOST = { places: 1_000, kinds: 200 };

export class AttributeSets {
  readonly #make: (record: OutcomeRecord) => Attributes;
  readonly #byPlace = new Map<string, Kind[]>();

  constructor(make: (record: OutcomeRecord) => Attributes) {
    this.#make = make;
  }

  of(record: OutcomeRecord): Attributes {
    const { method, status, grpcStatus, code, protocol } = record;
    const place = placeOf(record);
    const kinds = this.#byPlace.get(place) ?? this.#add(place);
    for (let index = 0; index < kinds.length; index++) {
      const kind = kinds[index]!; // in range
      if (
        kind.status === status &&
        kind.method === method &&
        kind.code === code &&
        kind.grpcStatus === grpcStatus &&
        kind.protocol === protocol
      ) {
        return kind.attributes;
      }
    }
    const attributes = this.#make(record);
    if (kinds.length >= MOST.kinds) kinds.length = 0;
    kinds.push({ method, status, grpcStatus, code, protocol, attributes });
    return attributes;
  }

  #add(place: string): Kind[] {
    if (this.#byPlace.size >= MOST.places) this.#byPlace.clear();
    const kinds: Kind[] = [];
    this.#byPlace.set(place, kinds);
    return kinds;
  }
}

/** gRPC: each method is one of its own. */
function placeOf({ direction, cluster, httpRoute, grpcStatus, path }: OutcomeRecord): string {
  if (grpcStatus >= 0) return `${cluster?.config.name ?? ""} ${path}`;
  return direction === "outbound" ? (cluster?.config.name ?? "") : httpRoute;
}
