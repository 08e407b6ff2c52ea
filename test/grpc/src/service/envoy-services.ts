/** Envoy's authorization and rate limit services, on servers of grpc-js made of the protos as they are published. */

import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import * as grpc from "@grpc/grpc-js";
import { loadSync } from "@grpc/proto-loader";

const DEPS = join(dirname(createRequire(import.meta.url).resolve("@grpc/grpc-js-xds/package.json")), "deps");

const PROTOS = loadSync(["envoy/service/auth/v3/external_auth.proto", "envoy/service/ratelimit/v3/rls.proto"], {
  includeDirs: ["envoy-api", "xds", "protoc-gen-validate", "googleapis"].map((name) => join(DEPS, name)),
  ...{ longs: Number, enums: String, keepCase: true, oneofs: true, defaults: true },
});

export type Unary = grpc.handleUnaryCall<Record<string, unknown>, object>;

/** @returns its port */
export async function serve(
  service: "envoy.service.auth.v3.Authorization" | "envoy.service.ratelimit.v3.RateLimitService",
  handlers: Record<string, Unary>,
  closing: (() => unknown)[],
): Promise<number> {
  const server = new grpc.Server();
  server.addService(PROTOS[service] as grpc.ServiceDefinition, handlers);
  closing.push(() => server.forceShutdown());
  return new Promise((resolve, reject) => {
    server.bindAsync("127.0.0.1:0", grpc.ServerCredentials.createInsecure(), (error, port) =>
      error === null ? resolve(port) : reject(error),
    );
  });
}
