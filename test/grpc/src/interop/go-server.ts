/** grpc-go's server of gRPC's interoperability cases, and everything a caller can arm against it. */

import { spawn } from "node:child_process";
import { once } from "node:events";
import { connect, createServer } from "node:net";
import { findGoPeer } from "@inmesh-test/xds/find-go-peers";
import { until } from "../lib/until.js";
import { destination, rules } from "../lib/yaml-mesh.js";

const binary = findGoPeer("interop-server", "gRPC's interoperability cases against grpc-go");

export const hasGoServer = binary !== undefined;
export const HOST = "interop.shop";

/** @returns its port */
export async function startGoServer(closing: (() => unknown)[]): Promise<number> {
  const port = await freePort();
  const server = spawn(binary ?? "", [`-port=${port}`], { stdio: "ignore" });
  closing.push(() => server.kill());
  await until(() => accepts(port));
  return port;
}

/** Nothing of it fires while nothing fails. */
export const everything = (tls = ""): readonly string[] => [
  rules(
    HOST,
    `[{ match: [{ uri: { prefix: /grpc.testing. } }], route: [{ destination: { host: ${HOST} }, headers: { request: { set: { x-by: rule } } } }],
       timeout: 20s, retries: { attempts: 3, perTryTimeout: 10s, retryOn: "unavailable,resource-exhausted,connect-failure,refused-stream" } }]`,
  ),
  destination(
    HOST,
    `trafficPolicy: { ${tls}connectionPool: { http: { http2MaxRequests: 1000 } }, outlierDetection: { consecutive5xxErrors: 50 }, loadBalancer: { simple: LEAST_REQUEST } }`,
  ),
  `apiVersion: inmesh.dev/v1alpha1
kind: CircuitBreaker
metadata: { name: interop, namespace: default }
spec: { host: ${HOST}, minRequests: 1000, slowCall: { duration: 10s, percent: 80 } }`,
  `apiVersion: inmesh.dev/v1alpha1
kind: Resilience
metadata: { name: interop, namespace: default }
spec: { host: ${HOST}, retry: { percent: 20, minPerSecond: 3 }, hedging: { attempts: 2, delay: 5s } }`,
];

async function freePort(): Promise<number> {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const address = server.address();
  server.close();
  await once(server, "close");
  return typeof address === "object" ? (address?.port ?? 0) : 0;
}

function accepts(at: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(at, "127.0.0.1");
    socket.once("connect", () => resolve(true)).once("error", () => resolve(false));
    socket.once("connect", () => socket.destroy());
  });
}
