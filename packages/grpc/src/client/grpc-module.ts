/** The copies of @grpc/grpc-js: this package's own, and those that applications bring. Loaded by nobody who does not use gRPC. */

import { createRequire } from "node:module";
import { MeshError } from "@inmesh/core";
import type { GrpcModule } from "../grpc-js.js";

export type { GrpcModule } from "../grpc-js.js";

let own: GrpcModule | undefined;

/**
 * The one that `mesh.grpc` makes its objects of: a peer, so that it is the application's.
 * @throws {MeshError} CONFIG_INVALID when the application has none
 */
export function ownGrpc(): GrpcModule {
  own ??= load();
  return own;
}

function load(): GrpcModule {
  try {
    return createRequire(import.meta.url)("@grpc/grpc-js") as GrpcModule;
  } catch (cause) {
    if ((cause as { readonly code?: unknown }).code !== "MODULE_NOT_FOUND") throw cause;
    const found = "the mesh's gRPC needs @grpc/grpc-js 1.14, and the application has none";
    throw new MeshError("CONFIG_INVALID", `${found}; run npm install @grpc/grpc-js@~1.14`, { cause });
  }
}
