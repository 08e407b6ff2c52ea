/** Channels to the endpoints that calls were led to, by endpoint, TLS identity and options of a client. */

import type { Attempt, Clock } from "@inmesh/core";
import type { EndpointDials, EndpointState, SecuredDial } from "@inmesh/core/internal";
import type { ChannelKind } from "./channel-kind.js";
import { EndpointChannel } from "./endpoint-channel.js";
import { EndpointConnections } from "./endpoint-connections.js";
import { type Connectors, ownConnectors, policyConnectors } from "./endpoint-credentials.js";

/** Of one endpoint; where the engine's state of it keeps them. */
class Kept {
  readonly byKind = new Map<ChannelKind, EndpointConnections>();

  retire(): void {
    for (const connections of this.byKind.values()) connections.close();
    this.byKind.clear();
  }
}

export class EndpointChannels {
  readonly #dials: EndpointDials;
  readonly #clock: Clock;
  readonly #states = new Set<EndpointState>();

  constructor(dials: EndpointDials, clock: Clock) {
    this.#dials = dials;
    this.#clock = clock;
  }

  /** @throws {MeshError} `TLS_UNAVAILABLE` */
  of(attempt: Attempt, kind: ChannelKind): EndpointConnections {
    const state = attempt.endpoint;
    const dial = kind.credentials === undefined ? this.#dials.secured(attempt) : undefined;
    const kept = this.#keptFor(state);
    const known = kept.byKind.get(kind);
    const { limits, config } = attempt.call.cluster!; // an attempt has an endpoint, so its call has a cluster
    if (known !== undefined) {
      const { first } = known;
      if (first !== undefined && first.dial === dial && dial?.holds !== false) return known;
      known.close();
    }
    const { connection } = config.policy;
    const connectors = connectorsOf(kind, dial, attempt.authority);
    const clock = this.#clock;
    const made = new EndpointConnections({
      ...{ limits, clock, idleMs: connection.idleTimeoutMs },
      open: () =>
        new EndpointChannel({
          ...{ grpc: kind.grpc, options: kind.options, clock, dials: this.#dials, dial, limits },
          ...{ endpoint: state.endpoint, connection, connectors },
        }),
    });
    kept.byKind.set(kind, made);
    return made;
  }

  close(): void {
    for (const state of this.#states) {
      state.grpc?.retire();
      state.grpc = undefined;
    }
    this.#states.clear();
  }

  #keptFor(state: EndpointState): Kept {
    let kept = state.grpc as Kept | undefined;
    if (kept === undefined) {
      kept = new Kept();
      state.grpc = kept;
      for (const each of this.#states) if (each.removed) this.#states.delete(each);
      this.#states.add(state);
    }
    return kept;
  }
}

function connectorsOf(
  { grpc, credentials }: ChannelKind,
  dial: SecuredDial | undefined,
  authority: string,
): Connectors {
  return credentials === undefined ? policyConnectors(grpc, dial) : ownConnectors(credentials, authority);
}
