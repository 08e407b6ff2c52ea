/** The interoperability cases against grpc-go's own server: as without the mesh, and through it with every feature armed. */

import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { connect, createServer } from "node:net";
import { type ClientOptions, credentials } from "@grpc/grpc-js";
import type { Mesh } from "@inmesh/node";
import { findGoPeer } from "@inmesh-test/xds/find-go-peers";
import { afterAll, beforeAll, describe, it } from "vitest";
import { until } from "../lib/until.js";
import { destination, meshOfYaml, rules, serviceAt } from "../lib/yaml-mesh.js";
import { CASES, TestService, UnimplementedService } from "./cases.js";

const binary = findGoPeer("interop-server", "gRPC's interoperability cases against grpc-go");
const closing: (() => unknown)[] = [];
const HOST = "interop.shop";

/** Nothing of it fires while nothing fails. */
const EVERYTHING = [
  rules(
    HOST,
    `[{ match: [{ uri: { prefix: /grpc.testing. } }], route: [{ destination: { host: ${HOST} }, headers: { request: { set: { x-by: rule } } } }],
       timeout: 20s, retries: { attempts: 3, perTryTimeout: 10s, retryOn: "unavailable,resource-exhausted,connect-failure,refused-stream" } }]`,
  ),
  destination(
    HOST,
    "trafficPolicy: { connectionPool: { http: { http2MaxRequests: 1000 } }, outlierDetection: { consecutive5xxErrors: 50 }, loadBalancer: { simple: LEAST_REQUEST } }",
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

let port = 0;
let mesh: Mesh;

beforeAll(async () => {
  if (binary === undefined) return;
  port = await freePort();
  const server: ChildProcess = spawn(binary, [`-port=${port}`], { stdio: "ignore" });
  closing.push(() => server.kill());
  await until(() => accepts(port));
  mesh = await meshOfYaml([serviceAt(HOST, [port]), ...EVERYTHING], closing);
});

afterAll(async () => {
  for (const close of closing.splice(0).reverse()) await close();
});

describe.skipIf(binary === undefined).each([
  ["as without the mesh", () => ({ target: `127.0.0.1:${port}`, options: {} })],
  ["through the mesh, everything armed", () => ({ target: `${HOST}:50051`, options: mesh.grpc.options() })],
])("%s", (_, given: () => { target: string; options: ClientOptions }) => {
  it.each(Object.keys(CASES))("%s", async (name) => {
    const { target, options } = given();
    const client = new TestService(target, credentials.createInsecure(), options);
    const other = new UnimplementedService(target, credentials.createInsecure(), options);
    try {
      await CASES[name]!(client, other);
    } finally {
      client.close();
      other.close();
    }
  });
});

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
