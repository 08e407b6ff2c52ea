/** @grpc/grpc-js carries the streams. A peer: who has neither gRPC nor a control plane need not install it. */

import { createRequire } from "node:module";
import type { ChannelCredentials } from "@grpc/grpc-js";
import { requirePeer } from "@inmesh/core/internal";

type GrpcModule = typeof import("@grpc/grpc-js");

let loaded: GrpcModule | undefined;

/** @throws {MeshError} CONFIG_INVALID where it is not installed */
export function grpcJs(): GrpcModule {
  loaded ??= requirePeer(
    createRequire(import.meta.url),
    "@grpc/grpc-js",
    "~1.14",
    "control planes and their certificates are reached by @grpc/grpc-js 1.14, which is not installed",
  ) as GrpcModule;
  return loaded;
}

/** PEM, as text or as bytes. */
type Pem = string | Uint8Array | undefined;

/** @param roots undefined: the system's. `key` and `certificate`, of this process, are there together or not at all */
export function tlsCredentials(roots: Pem, key: Pem, certificate: Pem): ChannelCredentials {
  return grpcJs().credentials.createSsl(bytesOf(roots), bytesOf(key), bytesOf(certificate));
}

function bytesOf(pem: Pem): Buffer | null {
  return pem === undefined ? null : Buffer.from(pem);
}
