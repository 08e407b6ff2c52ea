/** Endpoints of clusters that have none of their own: the address the caller asked for (PASSTHROUGH, resolution NONE). */

import type { Call } from "../call/call.js";
import { EndpointState } from "./endpoint-state.js";

/** Host names may come from users' input: the map is bounded, the oldest leaves (pitfalls B8). */
const MOST = 256;

export class AsAsked {
  readonly #states = new Map<string, EndpointState>();
  readonly #onRemoved: (state: EndpointState) => void;

  constructor({ onRemoved }: { readonly onRemoved: (state: EndpointState) => void }) {
    this.#onRemoved = onRemoved;
  }

  acquire({ host, port }: Call): EndpointState {
    const id = `${host}:${port}`;
    let state = this.#states.get(id);
    if (state === undefined) {
      state = new EndpointState({ id, address: host, port, weight: 1, labels: {}, workloads: [] });
      this.#states.set(id, state);
      if (this.#states.size > MOST) this.#forgetOldest();
    }
    state.inFlight += 1;
    return state;
  }

  /** Every endpoint leaves. */
  close(): void {
    while (this.#states.size > 0) this.#forgetOldest();
  }

  #forgetOldest(): void {
    const [oldest] = this.#states;
    if (oldest === undefined) return;
    this.#states.delete(oldest[0]);
    oldest[1].removed = true;
    this.#onRemoved(oldest[1]);
  }
}
