/** A channel of grpc-js to one endpoint, which brings HTTP/2, flow control and compression, and decides nothing. */

import { AsyncResource } from "node:async_hooks";
import { isIP, type Socket } from "node:net";
import type { Clock, Timer, Wire } from "@inmesh/core";
import type { ClusterLimits, EndpointDials, SecuredDial } from "@inmesh/core/internal";
import type { ConnectionPolicy, Endpoint } from "@inmesh/model";
import type { Channel, ChannelOptions } from "../grpc-js.js";
import { type Connectors, endpointCredentials } from "./endpoint-credentials.js";
import type { GrpcModule } from "./grpc-module.js";
import { InnerChannel } from "./inner-channel.js";
import { originalChannel } from "./original.js";

/** What waits for the channel's first connection, or its next. */
export interface Waiter {
  /** It may go on the wire. */
  connected(): void;
  /** There is none at the moment: the channel knows why, and tells it to calls. */
  failing(): void;
  /** There is no connection. */
  unconnected(error: unknown): void;
}

export interface EndpointChannelOptions {
  readonly grpc: GrpcModule;
  readonly endpoint: Endpoint;
  readonly connection: ConnectionPolicy;
  readonly connectors: Connectors;
  readonly dial: SecuredDial | undefined;
  readonly dials: EndpointDials;
  readonly clock: Clock;
  /** Of the cluster; its connections are counted there. */
  readonly limits: ClusterLimits;
  /** The application's, for sizes, compression, keepalive and flow control. */
  readonly options: ChannelOptions;
}

/** What the engine does is not to be done twice, and what names one target says nothing of an endpoint. */
const OURS: ChannelOptions = {
  "grpc.enable_retries": 0,
  "grpc.enable_channelz": 0,
  "grpc.enable_http_proxy": 0,
  "grpc.service_config_disable_resolution": 1,
  "grpc.use_local_subchannel_pool": 1,
};

/** A connection outlives the call that made it: made in that call's async context it would keep alive whatever is in there. */
const NOBODYS = new AsyncResource("INMESH_GRPC_CONNECTION");
const UNIX = "unix://";

export class EndpointChannel {
  readonly channel: Channel;
  /** Undefined: calls are made by the channel. */
  readonly inner: InnerChannel | undefined;
  /** As `getPeer` of a call says while it is on no connection. */
  readonly target: string;
  readonly dial: SecuredDial | undefined;
  /** Of the connection that stands; undefined before the first. */
  wire: Wire | undefined = undefined;
  /** What this process showed itself as on it. */
  showed = "";
  /** Calls that the connection carried. */
  carried = 0;
  /** Calls that go by it, those that wait for it included. Kept by `EndpointConnections`. */
  streams = 0;
  /** Those of them that have a stream. */
  begun = 0;
  /** Why there is none, as the dialler said it: grpc-js tells of it in words only. */
  failure: unknown = undefined;
  closed = false;
  readonly #options: EndpointChannelOptions;
  readonly #ready: number;
  readonly #failing: number;
  /** Calls at once that the server allows, as far as it was looked up. */
  #mostStreams: number | undefined = undefined;
  /** Its connection, standing or being made, is among the cluster's. */
  #isCounted = false;
  readonly #waiting = new Set<Waiter>();
  #timer: Timer | undefined = undefined;

  constructor(options: EndpointChannelOptions) {
    const { grpc, endpoint, connectors, dials, dial } = options;
    this.#options = options;
    this.dial = dial;
    this.#ready = grpc.connectivityState.READY;
    this.#failing = grpc.connectivityState.TRANSIENT_FAILURE;
    this.#count(true);
    this.target = targetOf(endpoint);
    const credentials = endpointCredentials(grpc, connectors, dials, this);
    const Channel = originalChannel(grpc);
    this.channel = NOBODYS.runInAsyncScope(() => {
      const channel = new Channel(this.target, credentials, { ...options.options, ...OURS });
      channel.getConnectivityState(true); // begins to connect, here
      return channel;
    });
    this.inner = InnerChannel.of(grpc, this.channel, options.options);
  }

  get ready(): boolean {
    return this.channel.getConnectivityState(false) === this.#ready;
  }

  /** Calls at once that its server allows; undefined: not known. A server that allows more later is heard. */
  get mostStreams(): number | undefined {
    if (this.#mostStreams === undefined || this.streams >= this.#mostStreams) {
      this.#mostStreams = this.ready ? this.inner?.mostStreams : undefined;
    }
    return this.#mostStreams;
  }

  /** Until it is connected, or found not to be connectable. */
  await(waiter: Waiter): void {
    this.#waiting.add(waiter);
    if (this.#timer !== undefined) return;
    const { clock, connection } = this.#options;
    const limitMs = connection.connectTimeoutMs;
    // Meanwhile nothing of grpc-js's keeps a process alive for the calls that wait.
    this.#timer = clock.hold(limitMs, () => {
      const error = Object.assign(new Error(`no connection within ${limitMs} ms`), { code: "ETIMEDOUT" });
      this.#settle((each) => each.unconnected(error));
      this.close();
    });
    this.#watch();
  }

  leave(waiter: Waiter): void {
    this.#waiting.delete(waiter);
  }

  /** Calls on it finish. */
  close(): void {
    if (this.closed) return;
    this.closed = true;
    this.#settle((each) => each.unconnected(this.failure ?? new Error("the channel was closed")));
    this.channel.close();
    this.#count(false);
  }

  // ---- from its credentials ----

  connected(socket: Socket): void {
    const { dials, dial } = this.#options;
    this.wire = dials.wireOf(socket);
    this.showed = dial?.showedOn(socket) ?? "";
    this.carried = 0;
    this.failure = undefined;
    this.#mostStreams = undefined;
    this.#count(true);
    socket.once("close", () => this.#count(false));
  }

  failed(error: unknown): void {
    this.failure = error;
    this.#count(false);
  }

  #count(isThere: boolean): void {
    if (this.#isCounted === isThere || (isThere && this.closed)) return;
    this.#isCounted = isThere;
    const { limits } = this.#options;
    limits.connections += isThere ? 1 : -1;
    if (!isThere) limits.onConnectionGone?.();
  }

  #watch(): void {
    if (this.closed) return; // whoever waited was told
    const state = this.channel.getConnectivityState(true);
    if (state === this.#ready) return this.#settle((each) => each.connected());
    if (state === this.#failing) return this.#settle((each) => each.failing());
    this.channel.watchConnectivityState(state, Number.POSITIVE_INFINITY, () => {
      // grpc-js says that it is ready a moment before it has the connection at hand.
      queueMicrotask(() => {
        if (this.#waiting.size > 0) this.#watch();
      });
    });
  }

  #settle(tell: (waiter: Waiter) => void): void {
    this.#timer?.cancel();
    this.#timer = undefined;
    const waiting = [...this.#waiting];
    this.#waiting.clear();
    for (const each of waiting) tell(each);
  }
}

function targetOf({ address, port }: Endpoint): string {
  if (address.startsWith(UNIX)) return `unix:${address.slice(UNIX.length)}`;
  const version = isIP(address);
  if (version === 0) return `dns:${address}:${port}`;
  return version === 4 ? `ipv4:${address}:${port}` : `ipv6:[${address}]:${port}`;
}
