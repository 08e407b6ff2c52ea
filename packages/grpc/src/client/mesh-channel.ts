/** What a client of grpc-js has for a channel: calls to hosts of the mesh go through the engine, all others as without it. */

import { type Attempt, type Engine, MeshError } from "@inmesh/core";
import type { Origin } from "@inmesh/core/internal";
import type { ChannelCredentials, ChannelOptions } from "../grpc-js.js";
import type { ChannelKind } from "./channel-kind.js";
import type { GrpcClient } from "./client.js";
import type { EndpointConnections } from "./endpoint-connections.js";
import type { CreateCall, GrpcCall, GrpcChannel } from "./grpc-call.js";
import type { GrpcModule } from "./grpc-module.js";
import { MeshCall } from "./mesh-call.js";
import { MESHED, originalChannel } from "./original.js";
import type { Target } from "./target.js";

export class MeshChannel implements GrpcChannel {
  readonly [MESHED] = true;
  readonly grpc: GrpcModule;
  readonly engine: Engine;
  readonly origin: Origin;
  readonly authority: string;
  /** Bytes of one message; -1 for any number. */
  readonly mostSendBytes: number;
  readonly #client: GrpcClient;
  readonly #target: Target;
  readonly #kind: ChannelKind;
  readonly #credentials: ChannelCredentials;
  readonly #options: ChannelOptions;
  #plain: GrpcChannel | undefined = undefined;
  #closed = false;

  constructor(
    client: GrpcClient,
    target: Target,
    origin: Origin,
    kind: ChannelKind,
    credentials: ChannelCredentials,
    options: ChannelOptions,
  ) {
    this.grpc = kind.grpc;
    this.engine = client.engine;
    this.origin = origin;
    this.authority = options["grpc.default_authority"] ?? target.authority;
    this.mostSendBytes = options["grpc.max_send_message_length"] ?? -1;
    this.#client = client;
    this.#target = target;
    this.#kind = kind;
    this.#credentials = credentials;
    this.#options = options;
  }

  createCall(...asked: CreateCall): GrpcCall {
    if (this.#closed) throw new Error("Channel has been shut down"); // in grpc-js's words
    if (!this.#isMeshs) {
      if (this.origin.rehearsed) this.#rehearse(asked);
      const plain = this.createPlainCall(asked);
      if (plain !== undefined) return plain;
    }
    return new MeshCall(this, asked);
  }

  /** As without the mesh. Undefined: nobody else can resolve the target. */
  createPlainCall(asked: CreateCall): GrpcCall | undefined {
    return this.#target.meshOnly ? undefined : this.#asWithoutMesh.createCall(...asked);
  }

  unknown(): MeshError {
    const { host, port } = this.origin;
    return new MeshError(
      "HOST_UNKNOWN",
      `"${host}" port ${port} is not in the registry, and "${this.#target.text}" names it to nobody but the mesh. The call was not sent. See: inmesh services`,
    );
  }

  connectionsOf(attempt: Attempt): EndpointConnections {
    return this.#client.endpoints.of(attempt, this.#kind);
  }

  close(): void {
    this.#closed = true;
    this.#plain?.close();
  }

  getTarget(): string {
    return this.#isMeshs ? this.#target.text : this.#asWithoutMesh.getTarget();
  }

  /** Of a host of the mesh: whether calls are taken, as connections are made for them. */
  getConnectivityState(tryToConnect: boolean): number {
    const { connectivityState } = this.grpc;
    if (this.#closed) return connectivityState.SHUTDOWN;
    if (!this.#isMeshs && !this.#target.meshOnly) return this.#asWithoutMesh.getConnectivityState(tryToConnect);
    if (this.engine.waiting) return connectivityState.CONNECTING;
    return this.#isMeshs ? connectivityState.READY : connectivityState.TRANSIENT_FAILURE;
  }

  watchConnectivityState(current: number, deadline: Date | number, callback: (error?: Error) => void): void {
    if (!this.#isMeshs && !this.#target.meshOnly) {
      return this.#asWithoutMesh.watchConnectivityState(current, deadline, callback);
    }
    const { clock, store } = this.engine;
    const endsAt = deadline instanceof Date ? deadline.getTime() : deadline;
    let over = false;
    const end = (error?: Error): void => {
      if (over) return;
      over = true;
      timer?.cancel();
      unsubscribe();
      callback(error);
    };
    const leftMs = endsAt - clock.wallTime();
    const late = (): void => end(new Error("Deadline passed without connectivity state change"));
    const timer = leftMs === Number.POSITIVE_INFINITY ? undefined : clock.hold(Math.max(0, leftMs), late);
    const unsubscribe = store.subscribe(() => {
      if (this.getConnectivityState(false) !== current) end();
    });
  }

  getChannelzRef(): ReturnType<GrpcChannel["getChannelzRef"]> {
    return this.#asWithoutMesh.getChannelzRef();
  }

  #rehearse([path]: CreateCall): void {
    const { scheme, host, port, loopback } = this.origin;
    const headers = ["content-type", "application/grpc"];
    const { authority } = this;
    this.engine.rehearsal.passed({ ...{ method: "POST", scheme, host, port, loopback }, authority, path, headers });
  }

  get #isMeshs(): boolean {
    return this.#client.origins.judge(this.origin) !== "pass";
  }

  get #asWithoutMesh(): GrpcChannel {
    const Channel = originalChannel(this.grpc);
    this.#plain ??= new Channel(this.#target.text, this.#credentials, this.#options);
    return this.#plain;
  }
}
