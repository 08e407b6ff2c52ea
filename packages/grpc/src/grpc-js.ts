/**
 * Types of @grpc/grpc-js, a peer that only applications with gRPC have. Whoever compiles against the mesh without it gets `any` for
 * them, and no complaint.
 */

// biome-ignore-start lint/suspicious/noTsIgnore: an error is expected only where the peer is not installed
/** @ts-ignore TS2307 */
export type {
  CallCredentials,
  Channel,
  ChannelCredentials,
  ChannelOptions,
  Client,
  ClientOptions,
  Metadata,
  MetadataOptions,
  Server,
  ServerOptions,
  StatusObject,
} from "@grpc/grpc-js";
/** @ts-ignore TS2307 */
export type GrpcModule = typeof import("@grpc/grpc-js");
// biome-ignore-end lint/suspicious/noTsIgnore: as above
