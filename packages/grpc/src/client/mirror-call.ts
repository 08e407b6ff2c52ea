/** The copy of a call. Whatever comes of it, nobody hears it. */

import type { Attempt, MirrorExchange } from "@inmesh/core";
import type { BodyLoss } from "@inmesh/core/admin";
import { AttemptCall, type AttemptOwner } from "./attempt-call.js";
import type { CallCredentials, MetadataOptions } from "./grpc-call.js";
import type { GrpcModule } from "./grpc-module.js";
import type { MeshChannel } from "./mesh-channel.js";
import type { MessageCopy, RequestMessages } from "./request-messages.js";

export class MirroredCall implements MirrorExchange, AttemptOwner {
  readonly grpc: GrpcModule;
  readonly metadataOptions: MetadataOptions;
  readonly bytes: number;
  readonly reading = true;
  readonly drains = true;
  readonly #channel: MeshChannel;
  readonly #copy: MessageCopy;
  readonly credentials: CallCredentials | undefined;

  /** @param limit bytes that the copy keeps alive at most */
  constructor(
    channel: MeshChannel,
    metadataOptions: MetadataOptions,
    copy: MessageCopy,
    limit: number,
    credentials: CallCredentials | undefined,
  ) {
    this.grpc = channel.grpc;
    this.#channel = channel;
    this.metadataOptions = metadataOptions;
    this.#copy = copy;
    this.bytes = limit;
    this.credentials = credentials;
  }

  get messages(): RequestMessages {
    return this.#copy.messages;
  }

  whole(then: (loss: BodyLoss | undefined) => void): void {
    this.#copy.whole(then);
  }

  send(attempt: Attempt): void {
    new AttemptCall(this, attempt, this.#channel.connectionsOf(attempt)).start();
  }

  canReplay(): boolean {
    return true;
  }

  asGiven(): undefined {}
  passThrough(): void {}
  reply(): void {}
  fail(): void {}
  answered(): void {}
  head(): void {}
  message(): void {}
  end(): void {}
}
