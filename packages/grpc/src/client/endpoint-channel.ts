/** A channel of grpc-js to one endpoint, which brings HTTP/2, flow control and compression, and decides nothing. */

import { AsyncResource } from "node:async_hooks";
import { isIP, type Socket } from "node:net";
import type { Clock, Timer, Wire } from "@inmesh/core";
import type { EndpointDials, SecuredDial } from "@inmesh/core/internal";
import type { ConnectionPolicy, Endpoint } from "@inmesh/model";
import type { Channel, ChannelOptions } from "../grpc-js.js";
import { type Connectors, endpointCredentials } from "./endpoint-credentials.js";
import type { GrpcModule } from "./grpc-module.js";
import { InnerChannel } from "./inner-channel.js";
import { originalChannel } from "./original.js";

/** What waits for the channel's first connection, or its next. */
export interface Waiter {
  /** It is about to go on the wire. */
  connected(): void;
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
  /** Why there is none, as the dialler said it: grpc-js tells of it in words only. */
  failure: unknown = undefined;
  closed = false;
  readonly #options: EndpointChannelOptions;
  readonly #ready: number;
  readonly #waiting = new Set<Waiter>();
  #timer: Timer | undefined = undefined;

  constructor(options: EndpointChannelOptions) {
    const { grpc, endpoint, connectors, dials, dial } = options;
    this.#options = options;
    this.dial = dial;
    this.#ready = grpc.connectivityState.READY;
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

  /** Until it is connected, or found not to be connectable. */
  await(waiter: Waiter): void {
    this.#waiting.add(waiter);
    if (this.#timer !== undefined) return;
    const { clock, connection } = this.#options;
    const limitMs = connection.connectTimeoutMs;
    this.#timer = clock.after(limitMs, () => {
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
  }

  // ---- from its credentials ----

  connected(socket: Socket): void {
    const { dials, dial } = this.#options;
    this.wire = dials.wireOf(socket);
    this.showed = dial?.showedOn(socket) ?? "";
    this.carried = 0;
    this.failure = undefined;
  }

  failed(error: unknown): void {
    this.failure = error;
  }

  #watch(): void {
    if (this.closed) return;
    const state = this.channel.getConnectivityState(false);
    if (state === this.#ready) return this.#settle((each) => each.connected());
    this.channel.watchConnectivityState(state, Number.POSITIVE_INFINITY, () => {
      if (this.#waiting.size > 0) this.#watch();
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
