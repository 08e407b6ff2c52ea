/** The gRPC client side of one mesh. */

import type { Engine } from "@inmesh/core";
import { type EndpointDials, Origins } from "@inmesh/core/internal";
import type { ChannelCredentials, ChannelOptions, ClientOptions } from "../grpc-js.js";
import type { MeshGrpc } from "../mesh-grpc.js";
import { ChannelKinds } from "./channel-kind.js";
import { EndpointChannels } from "./endpoint-channels.js";
import { registerSchemes } from "./experimental.js";
import type { GrpcChannel } from "./grpc-call.js";
import { type GrpcModule, ownGrpc } from "./grpc-module.js";
import { MeshChannel } from "./mesh-channel.js";
import { EXEMPT, originalChannel } from "./original.js";
import { parseTarget } from "./target.js";

export interface GrpcClientOptions {
  readonly engine: Engine;
  /** Whoever knows TLS. */
  readonly dials: EndpointDials;
}

export class GrpcClient implements Pick<MeshGrpc, "credentials" | "options"> {
  readonly engine: Engine;
  readonly origins: Origins;
  readonly endpoints: EndpointChannels;
  readonly #kinds = new ChannelKinds();

  constructor({ engine, dials }: GrpcClientOptions) {
    this.engine = engine;
    this.origins = new Origins(engine);
    this.endpoints = new EndpointChannels(dials, engine.clock);
  }

  /** For the second argument of a client: whether TLS is spoken is up to policy. */
  credentials(): ChannelCredentials {
    const grpc = ownGrpc();
    registerSchemes(grpc);
    return grpc.credentials.createInsecure();
  }

  /** For the third argument of a client; what else stands there goes along: `{ ...mesh.grpc.options(), ...mine }`. */
  options(): ClientOptions {
    return {
      channelFactoryOverride: (address, credentials, options) => this.#channel(address, credentials, options),
    };
  }

  /**
   * @param grpc the copy that the client is of
   * @returns undefined for what is none of the mesh's business whatever the registry says, and for what grpc-js is to refuse
   */
  hooked(
    grpc: GrpcModule,
    address: string,
    credentials: ChannelCredentials,
    options: ChannelOptions = {},
  ): GrpcChannel | undefined {
    if (typeof address !== "string" || !(credentials instanceof grpc.ChannelCredentials)) return undefined;
    const target = parseTarget(address);
    const origin = target.origin === undefined ? undefined : this.origins.get(target.origin);
    if (origin === undefined || options[EXEMPT] === 1) return undefined;
    return new MeshChannel(this, target, origin, this.#kinds.get(grpc, options, credentials), credentials, options);
  }

  #channel(address: string, credentials: ChannelCredentials, options: ChannelOptions): GrpcChannel {
    const grpc = ownGrpc();
    return (
      this.hooked(grpc, address, credentials, options) ?? new (originalChannel(grpc))(address, credentials, options)
    );
  }

  /** Calls under way finish; later ones have nowhere to go. */
  close(): void {
    this.endpoints.close();
  }
}
