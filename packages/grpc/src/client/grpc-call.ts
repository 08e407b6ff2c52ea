/** grpc-js's interface between a client and a channel, which it exports in part only. */

import type { CallCredentials, ClientOptions, Metadata, MetadataOptions, StatusObject } from "../grpc-js.js";

/** grpc-js exports the class that implements it by this name. */
export type GrpcChannel = ReturnType<NonNullable<ClientOptions["channelFactoryOverride"]>>;

/** What its `createCall` returns. */
export type GrpcCall = ReturnType<GrpcChannel["createCall"]>;
export type MessageContext = Parameters<GrpcCall["sendMessageWithContext"]>[0];
export type AuthContext = ReturnType<GrpcCall["getAuthContext"]>;
export type CreateCall = Parameters<GrpcChannel["createCall"]>;

/** Hears of an answer: its head, its messages, and at last its status, once. */
export interface AnswerListener {
  onReceiveMetadata(metadata: Metadata): void;
  onReceiveMessage(message: unknown): void;
  onReceiveStatus(status: StatusObject): void;
}

export type { CallCredentials, Metadata, MetadataOptions, StatusObject };
