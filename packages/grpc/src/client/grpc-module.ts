/** The copies of @grpc/grpc-js: this package's own, and those that applications bring. Loaded by nobody who does not use gRPC. */

import { createRequire } from "node:module";

export type GrpcModule = typeof import("@grpc/grpc-js");

let own: GrpcModule | undefined;

/** The one that `mesh.grpc` makes its objects of; the application's, where npm could make them the same. */
export function ownGrpc(): GrpcModule {
  own ??= createRequire(import.meta.url)("@grpc/grpc-js") as GrpcModule;
  return own;
}
