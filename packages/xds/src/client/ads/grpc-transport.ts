/**
 * Aggregated streams over gRPC: one connection for each stream, so that a new root, certificate or token is used as soon as
 * the next stream is made. Messages are handed on as they came.
 *
 * The connection does not keep the process alive: a script that uses the mesh ends by itself.
 */

import type { Socket } from "node:net";
import type { ChannelCredentials, Client, ClientDuplexStream, Metadata } from "@grpc/grpc-js";
import { type Clock, messageOf } from "@inmesh/core";
import { grpcJs, tlsCredentials } from "../../grpc-js.js";
import { dropReadParts } from "./read-parts.js";
import type { AdsMode, AdsStream, AdsStreamListener, AdsTransport } from "./transport.js";

/** What a server is shown and what it must show; read anew for each stream. */
export interface ServerAccess {
  /** Undefined: plain text. */
  readonly tls: ServerTls | undefined;
  /** Sent as `authorization: Bearer …`. */
  readonly token: string | undefined;
}

export interface ServerTls {
  /** PEM. Undefined: the roots of the system. */
  readonly ca: Uint8Array | undefined;
  /** PEM of this process, together or not at all. */
  readonly cert: Uint8Array | undefined;
  readonly key: Uint8Array | undefined;
  /** Name that the server's certificate must have. Undefined: the host of the address. */
  readonly serverName: string | undefined;
}

export interface GrpcTransportOptions {
  /** As gRPC writes it: `host:port`, `unix:/path`, `dns:///host:port`. */
  readonly address: string;
  /** @throws what cannot be read: told as the reason why there is no stream */
  readonly access: () => ServerAccess | Promise<ServerAccess>;
  /** Sent with each stream, such as `clusterid` for istiod. @default none */
  readonly headers?: Readonly<Record<string, string>>;
  readonly clock: Clock;
}

const SERVICE = "/envoy.service.discovery.v3.AggregatedDiscoveryService";
const METHODS: Readonly<Record<AdsMode, string>> = {
  sotw: `${SERVICE}/StreamAggregatedResources`,
  delta: `${SERVICE}/DeltaAggregatedResources`,
};

/** To connect, handshake included, in ms: gRPC's own minimum. */
const CONNECT_MS = 20_000;

const CHANNEL_OPTIONS = {
  "inmesh.exempt": 1, // under --import the process's own clients are in the mesh, which waits for what comes by this one
  "grpc.max_receive_message_length": -1, // an answer with all endpoints of a large mesh is larger than the 4 MB of gRPC
  "grpc.max_send_message_length": -1,
  "grpc.keepalive_time_ms": 30_000, // istiod ends connections that ping more often than each 15 s
  "grpc.keepalive_timeout_ms": 10_000,
  "grpc.enable_retries": 0,
  "grpc.enable_http_proxy": 0, // a control plane is within the network
  "grpc.enable_channelz": 0,
  "grpc.use_local_subchannel_pool": 1,
  "grpc.service_config_disable_resolution": 1,
};

const asBuffer = ({ buffer, byteOffset, byteLength }: Uint8Array) => Buffer.from(buffer, byteOffset, byteLength);
const asCame = (bytes: Buffer) => bytes;

export class GrpcTransport implements AdsTransport {
  readonly server: string;
  readonly #options: GrpcTransportOptions;

  constructor(options: GrpcTransportOptions) {
    this.#options = options;
    this.server = options.address.replace(/^(?:dns|ipv[46]):(?:\/\/[^/]*\/)?/, "");
  }

  open(mode: AdsMode, listener: AdsStreamListener): AdsStream {
    const stream = new GrpcAdsStream(this.#options, mode, listener);
    void stream.connect();
    return stream;
  }
}

class GrpcAdsStream implements AdsStream {
  readonly #options: GrpcTransportOptions;
  readonly #mode: AdsMode;
  readonly #listener: AdsStreamListener;
  #client: Client | undefined;
  #call: ClientDuplexStream<Uint8Array, Buffer> | undefined;
  #ended = false;

  constructor(options: GrpcTransportOptions, mode: AdsMode, listener: AdsStreamListener) {
    this.#options = options;
    this.#mode = mode;
    this.#listener = listener;
  }

  /** Never rejects. */
  async connect(): Promise<void> {
    try {
      const { tls, token } = await this.#options.access();
      if (this.#ended) return;
      const { address, headers = {} } = this.#options;
      const serverName = tls?.serverName;
      this.#client = new (grpcJs().Client)(
        address,
        unreferenced(
          tls === undefined ? grpcJs().credentials.createInsecure() : tlsCredentials(tls.ca, tls.key, tls.cert),
        ),
        {
          ...CHANNEL_OPTIONS,
          ...(serverName === undefined
            ? {}
            : { "grpc.ssl_target_name_override": serverName, "grpc.default_authority": serverName }),
        },
      );
      await this.#ready(this.#client);
      if (this.#ended) return;
      const metadata = new (grpcJs().Metadata)();
      if (token !== undefined) metadata.set("authorization", `Bearer ${token}`);
      for (const [name, value] of Object.entries(headers)) metadata.set(name, value);
      this.#start(this.#client, metadata);
    } catch (error) {
      this.#end(messageOf(error));
    }
  }

  send(bytes: Uint8Array): void {
    this.#call?.write(bytes);
  }

  pause(): void {
    this.#call?.pause();
  }

  resume(): void {
    this.#call?.resume();
  }

  cancel(): void {
    this.#ended = true;
    this.#call?.cancel();
    this.#client?.close();
  }

  #start(client: Client, metadata: Metadata): void {
    const call = client.makeBidiStreamRequest<Uint8Array, Buffer>(METHODS[this.#mode], asBuffer, asCame, metadata);
    this.#call = call;
    call.on("data", (bytes: Buffer) => {
      dropReadParts(call);
      if (!this.#ended) this.#listener.onMessage(bytes);
    });
    let failure: string | undefined;
    // Both come, the error first; a listener has to be there or the error is thrown.
    call.on("error", (error) => {
      failure = error.message;
    });
    call.on("status", ({ code, details }) => {
      this.#end(failure ?? (code === 0 ? "the server ended the stream" : `${code}: ${details}`));
    });
    this.#listener.onOpen();
  }

  /** Resolves once the connection stands. @throws what is in the way */
  #ready(client: Client): Promise<void> {
    const channel = client.getChannel();
    return new Promise((resolve, reject) => {
      const timer = this.#options.clock.after(CONNECT_MS, () => {
        reject(new Error(`no connection in ${CONNECT_MS / 1_000} s`));
      });
      const look = () => {
        if (this.#ended) return timer.cancel();
        const state = channel.getConnectivityState(true);
        if (state === grpcJs().connectivityState.READY) {
          timer.cancel();
          resolve();
        } else if (
          state === grpcJs().connectivityState.TRANSIENT_FAILURE ||
          state === grpcJs().connectivityState.SHUTDOWN
        ) {
          timer.cancel();
          this.#whyNot(client, reject);
        } else channel.watchConnectivityState(state, Number.POSITIVE_INFINITY, look);
      };
      look();
    });
  }

  /** A channel does not say why it failed; a call on it does. */
  #whyNot(client: Client, reject: (error: Error) => void): void {
    const call = client.makeBidiStreamRequest<Uint8Array, Buffer>(METHODS[this.#mode], asBuffer, asCame);
    call.on("error", (error) => reject(error));
    call.on("status", ({ code, details }) => reject(new Error(`${code}: ${details}`)));
    call.resume();
  }

  #end(reason: string): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#client?.close();
    this.#listener.onEnd(reason);
  }
}

/** An open stream makes grpc-js hold on to its socket, so that the process lives as long as the stream: this socket cannot be. */
function unreferenced(given: ChannelCredentials): ChannelCredentials {
  const create = given._createSecureConnector.bind(given);
  given._createSecureConnector = (...args) => {
    const connector = create(...args);
    const connect = connector.connect.bind(connector);
    connector.connect = async (socket) => {
      const result = await connect(socket);
      for (const each of [socket, result.socket]) letGo(each);
      return result;
    };
    return connector;
  };
  return given;
}

function letGo(socket: Socket): void {
  socket.unref();
  socket.ref = () => socket;
}
