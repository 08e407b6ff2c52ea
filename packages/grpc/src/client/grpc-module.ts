/** The copies of @grpc/grpc-js: this package's own, and those that applications bring. Loaded by nobody who does not use gRPC. */

import { createRequire } from "node:module";
import { requirePeer } from "@inmesh/core/internal";
import type { GrpcModule } from "../grpc-js.js";

export type { GrpcModule } from "../grpc-js.js";

let own: GrpcModule | undefined;

/**
 * The one that `mesh.grpc` makes its objects of: a peer, so that it is the application's.
 * @throws {MeshError} CONFIG_INVALID when the application has none
 */
export function ownGrpc(): GrpcModule {
  own ??= requirePeer(
    createRequire(import.meta.url),
    "@grpc/grpc-js",
    "~1.14",
    "the mesh's gRPC needs @grpc/grpc-js 1.14, and the application has none",
  ) as GrpcModule;
  return own;
}
