/** What makes the channels of one client others than those of another: clients that agree share theirs. */

import type { ChannelCredentials, ChannelOptions } from "../grpc-js.js";
import type { GrpcModule } from "./grpc-module.js";

export interface ChannelKind {
  readonly grpc: GrpcModule;
  readonly options: ChannelOptions;
  /** TLS that the application brings; undefined: what policy says. */
  readonly credentials: ChannelCredentials | undefined;
}

/** Beyond, the oldest are forgotten, so that a process which makes options up as it goes does not grow by them. */
const MOST = 64;

export class ChannelKinds {
  readonly #known: ChannelKind[] = [];

  get(grpc: GrpcModule, options: ChannelOptions, credentials: ChannelCredentials): ChannelKind {
    const own = credentials._isSecure() ? credentials : undefined;
    const text = JSON.stringify(options);
    const same = this.#known.find(
      (each) =>
        each.grpc === grpc &&
        (own === undefined ? each.credentials === undefined : each.credentials?._equals(own) === true) &&
        JSON.stringify(each.options) === text,
    );
    if (same !== undefined) return same;
    const made = { grpc, options, credentials: own };
    this.#known.push(made);
    if (this.#known.length > MOST) this.#known.shift();
    return made;
  }
}
