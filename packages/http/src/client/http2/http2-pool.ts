/** HTTP/2 connections to one endpoint: few, each shared by as many requests as the peer and policy allow. */

import type { Socket } from "node:net";
import type { Clock } from "@inmesh/core";
import { setImmediate } from "@inmesh/core/internal";
import type { Endpoint, TrafficPolicy } from "@inmesh/model";
import type { buildConnector } from "undici";
import type { ClusterConnections, Hungry } from "../cluster-connections.js";
import type { Pool } from "../pool.js";
import type { SecuredConnection } from "../tls/secured-socket.js";
import type { Undici } from "../undici-module.js";
import { WaitingRequests } from "../waiting-requests.js";
import type { WireAttempt } from "../wire-attempt.js";
import { type ConnectionOwner, Http2Connection } from "./http2-connection.js";

/** Streams expected of a connection whose peer has not said yet how many it allows: the least that RFC 9113 §6.5.2 recommends. */
const EXPECTED_STREAMS = 100;
/** As for HTTP/1.1. */
const MAX_CONNECTIONS = 2_048;

export interface Http2PoolOptions {
  readonly connect: buildConnector.connector;
  readonly scheme: "http" | "https";
  /** As of EndpointPool. */
  readonly about?: ((socket: Socket) => SecuredConnection | undefined) | undefined;
  readonly workload?: string | undefined;
  /** A connection is asked for. */
  readonly onConnect: () => void;
  readonly undici: Undici;
  readonly clock: Clock;
  readonly connections: ClusterConnections;
}

export class Http2Pool implements Pool, Hungry, ConnectionOwner {
  policy: TrafficPolicy;
  endpoint: Endpoint;
  uses = 0;
  usesSeen = -1;
  readonly #options: Http2PoolOptions;
  /** All that are not closed, retired ones too; the oldest first. */
  readonly #connections = new Set<Http2Connection>();
  readonly #waiting = new WaitingRequests(() => this.#settle());
  /** Requests that wait for the news of their connection. */
  #held = 0;
  #closing = false;
  readonly #emptied: (() => void)[] = [];

  constructor(of: { readonly endpoint: Endpoint }, policy: TrafficPolicy, options: Http2PoolOptions) {
    this.policy = policy;
    this.endpoint = of.endpoint;
    this.#options = options;
  }

  dispatch(wire: WireAttempt): void {
    this.uses += 1;
    this.#place(wire, false);
  }

  get size(): number {
    return this.#connections.size;
  }

  get idle(): number {
    let idle = 0;
    for (const { streams, connecting } of this.#connections) if (streams === 0 && !connecting) idle += 1;
    return idle;
  }

  dropUnused(): void {
    for (const connection of [...this.#connections]) if (connection.fellIdle()) connection.retire();
  }

  async close(): Promise<void> {
    this.#closing = true;
    await new Promise<void>((resolve) => {
      this.#emptied.push(resolve);
      this.#settle();
    });
    this.#options.connections.forget(this);
  }

  async destroy(error: Error): Promise<void> {
    this.#closing = true;
    this.#waiting.fail(error);
    for (const connection of [...this.#connections]) connection.destroy(error);
    await this.close();
  }

  // ---- from the cluster ----

  feed(): void {
    this.#openFor(this.#waiting.size);
  }

  // ---- from its connections ----

  opened(): void {
    this.#serve();
  }

  changed(): void {
    this.#serve();
    this.#settle();
  }

  closed(connection: Http2Connection, error: Error | undefined): void {
    this.#connections.delete(connection);
    this.#options.connections.give();
    // Whoever waited for it hears why; who waits for a place goes on, unless there is nothing left to wait for.
    if (error !== undefined) this.#waiting.fail(error, this.#connections.size === 0 ? "all" : "connecting");
    else this.#openFor(this.#waiting.size);
    this.#settle();
  }

  /** @param fresh its connection's news were waited for */
  #place(wire: WireAttempt, fresh: boolean): void {
    for (const connection of this.#connections) {
      if (!connection.hasRoom) continue;
      if (fresh || wire.mayReplay || !connection.mayBeStale(wire)) return connection.carry(wire);
      return this.#afterNews(wire);
    }
    this.#wait(wire);
  }

  /** As on HTTP/1.1: what cannot be sent twice goes on an idle connection only after a look at its socket. */
  #afterNews(wire: WireAttempt): void {
    this.#held += 1;
    setImmediate(() =>
      setImmediate(() => {
        this.#held -= 1;
        if (wire.attempt.phase !== "settled") this.#place(wire, true);
        this.#settle();
      }),
    );
  }

  #wait(wire: WireAttempt): void {
    this.#openFor(this.#waiting.size + 1);
    const limited = this.#roomToCome() <= this.#waiting.size;
    if (limited && !this.#options.connections.mayWait(wire)) return;
    this.#waiting.add(wire, limited);
  }

  /** Requests that connections being made will take. */
  #roomToCome(): number {
    let room = 0;
    for (const connection of this.#connections) {
      if (connection.connecting) room += Math.min(connection.capacity, EXPECTED_STREAMS);
    }
    return room;
  }

  /** Another connection, if those being made have no room for as many, and there may be another. */
  #openFor(requests: number): void {
    if (this.#roomToCome() >= requests) return;
    const { connect, scheme, clock, undici, onConnect, connections, about, workload } = this.#options;
    let live = 0;
    for (const { retired } of this.#connections) if (!retired) live += 1;
    if (live >= MAX_CONNECTIONS || !connections.take(live, this)) return;
    onConnect();
    const policy = this.policy.connection;
    const connection = new Http2Connection({ connect, scheme, policy, clock, undici, about, workload, owner: this });
    this.#connections.add(connection);
  }

  #serve(): void {
    for (const connection of this.#connections) {
      while (connection.hasRoom) {
        const wire = this.#waiting.next();
        if (wire === undefined) return;
        connection.carry(wire);
      }
    }
    this.#openFor(this.#waiting.size);
  }

  /** While it closes: done when nothing waits and nothing is open. */
  #settle(): void {
    if (!this.#closing || this.#waiting.size > 0 || this.#held > 0) return;
    for (const connection of [...this.#connections]) connection.retire();
    if (this.#connections.size > 0) return;
    for (const resolve of this.#emptied.splice(0)) resolve();
  }
}
