/** The servers of a process: which listen, where, in which order; and how they stop without dropping a request. */

import type { IncomingMessage, ServerResponse } from "node:http";
import { Server as HttpsServer } from "node:https";
import type { Clock, Timer } from "@inmesh/core";
import type { Inbound } from "./inbound.js";
import type { AnyServer, ServerHooks } from "./patch-servers.js";

export interface Listener {
  readonly port: number;
  /** As bound: `::` and `0.0.0.0` are every address of the machine. */
  readonly address: string;
  readonly protocol: "http" | "https";
}

export interface ServersOptions {
  readonly inbound: Inbound;
  readonly clock: Clock;
  /** A server began or ceased to listen. */
  readonly onChange?: (listeners: readonly Listener[]) => void;
}

/** Between two looks for idle connections of a closing server, in ms. */
const SWEEP_MS = 50;
/** Accepting a connection, reading its request: each takes a turn of the event loop. */
const QUIET_TURNS = 3;
/** Callers that go on calling must not hold up the end. */
const MAX_TURNS = 100;

export class Servers implements ServerHooks {
  readonly #inbound: Inbound;
  readonly #clock: Clock;
  readonly #onChange: (listeners: readonly Listener[]) => void;
  /** In order of listening. */
  readonly #listening = new Map<AnyServer, Listener>();
  readonly #closedByMesh = new WeakSet<AnyServer>();

  constructor({ inbound, clock, onChange = () => {} }: ServersOptions) {
    this.#inbound = inbound;
    this.#clock = clock;
    this.#onChange = onChange;
  }

  get listeners(): readonly Listener[] {
    return [...this.#listening.values()];
  }

  listening(server: AnyServer): void {
    const bound = server.address();
    if (bound === null || typeof bound === "string" || this.#listening.has(server)) return; // a pipe has no port to call
    const protocol = server instanceof HttpsServer ? "https" : "http";
    this.#listening.set(server, { port: bound.port, address: bound.address, protocol });
    this.#closedByMesh.delete(server);
    this.#onChange(this.listeners);
  }

  closed(server: AnyServer): void {
    if (this.#listening.delete(server)) this.#onChange(this.listeners);
  }

  request(request: IncomingMessage, response: ServerResponse, _: AnyServer, work: () => boolean): boolean {
    return this.#inbound.request(request, response, work);
  }

  upgrade(request: IncomingMessage, work: () => boolean): boolean {
    return this.#inbound.upgrade(request, work);
  }

  closedByMesh(server: AnyServer): boolean {
    return this.#closedByMesh.has(server);
  }

  /**
   * Stops accepting, lets requests in flight finish, and closes connections as they fall idle (pitfalls S1). When
   * `signal` aborts first, what is left is cut.
   * @returns how many requests were cut
   */
  async close(signal: AbortSignal): Promise<number> {
    const servers = [...this.#listening.keys()];
    this.#inbound.retireConnections();
    for (const server of servers) this.closed(server);
    await this.#readArrived(signal);
    for (const server of servers) {
      server.close();
      this.#closedByMesh.add(server);
    }
    const sweep: Timer = this.#clock.every(SWEEP_MS, () => {
      for (const server of servers) server.closeIdleConnections();
    });
    await this.#inbound.idle(signal);
    sweep.cancel();
    const cut = this.#inbound.inFlight;
    for (const server of servers) {
      if (cut > 0) server.closeAllConnections();
      else server.closeIdleConnections();
    }
    return cut;
  }

  /**
   * What callers sent before they heard of the end may lie unread in the system's buffers, on connections that look idle
   * or were not accepted yet; closing now would cut it. Goes on once the event loop brings no new requests.
   */
  async #readArrived(signal: AbortSignal): Promise<void> {
    let quiet = 0;
    for (let turn = 0; turn < MAX_TURNS && quiet < QUIET_TURNS && !signal.aborted; turn++) {
      const { arrived } = this.#inbound;
      await new Promise((resolve) => setImmediate(resolve)); // one look at every socket
      quiet = this.#inbound.arrived === arrived ? quiet + 1 : 0;
    }
  }
}
