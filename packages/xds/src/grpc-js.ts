/** @grpc/grpc-js carries the streams. A peer: who has neither gRPC nor a control plane need not install it. */

import { createRequire } from "node:module";
import { MeshError } from "@inmesh/core";

type GrpcModule = typeof import("@grpc/grpc-js");

let loaded: GrpcModule | undefined;

/** @throws {MeshError} CONFIG_INVALID where it is not installed */
export function grpcJs(): GrpcModule {
  loaded ??= load();
  return loaded;
}

function load(): GrpcModule {
  try {
    return createRequire(import.meta.url)("@grpc/grpc-js") as GrpcModule;
  } catch (cause) {
    if ((cause as { readonly code?: unknown }).code !== "MODULE_NOT_FOUND") throw cause;
    const found = "control planes and their certificates are reached by @grpc/grpc-js 1.14, which is not installed";
    throw new MeshError("CONFIG_INVALID", `${found}; run npm install @grpc/grpc-js@~1.14`, { cause });
  }
}
