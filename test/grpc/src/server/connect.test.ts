/** Servers of Connect are HTTP servers: what the mesh answers, in each of the three protocols that they speak. */

import { once } from "node:events";
import { createServer } from "node:http";
import { createServer as createHttp2Server } from "node:http2";
import type { AddressInfo } from "node:net";
import { create, createFileRegistry, type DescService } from "@bufbuild/protobuf";
import { FileDescriptorProtoSchema, file_google_protobuf_wrappers } from "@bufbuild/protobuf/wkt";
import { Code, ConnectError, createClient, type Transport } from "@connectrpc/connect";
import {
  connectNodeAdapter,
  createConnectTransport,
  createGrpcTransport,
  createGrpcWebTransport,
} from "@connectrpc/connect-node";
import type { Mesh } from "@inmesh/node";
import { afterEach, expect, it } from "vitest";
import { meshOfYaml } from "../lib/yaml-mesh.js";
import { sums } from "../one-engine/twin.js";

const VALUE = ".google.protobuf.StringValue";
const WRAPPERS = "google/protobuf/wrappers.proto";
const methods = ["Say", "Delete", "Limited"].map((name) => ({ name, inputType: VALUE, outputType: VALUE }));
const file = create(FileDescriptorProtoSchema, {
  ...{ name: "echo.proto", package: "shop", syntax: "proto3", dependency: [WRAPPERS] },
  service: [{ name: "Echo", method: methods }],
});
const ECHO = createFileRegistry(file, (name) =>
  name === WRAPPERS ? file_google_protobuf_wrappers : undefined,
).getService("shop.Echo") as DescService;

const POLICY = `apiVersion: security.istio.io/v1
kind: AuthorizationPolicy
metadata: { name: it, namespace: default }
spec: { action: DENY, rules: [{ to: [{ operation: { paths: ["/shop.Echo/Delete"] } }] }] }
---
apiVersion: inmesh.dev/v1alpha1
kind: RateLimit
metadata: { name: it, namespace: default }
spec: { host: shop, rules: [{ name: few, requests: 1, per: 1h, match: [{ uri: { exact: /shop.Echo/Limited } }] }] }`;

const closing: (() => unknown)[] = [];
afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close();
});

async function serve(version: 1 | 2): Promise<{ mesh: Mesh; baseUrl: string; seen: string[] }> {
  const mesh = await meshOfYaml([POLICY], closing, { identity: "off" });
  const seen: string[] = [];
  const echo = (name: string) => (value: object) => {
    seen.push(name);
    return value;
  };
  const application = connectNodeAdapter({
    routes: (router) => {
      const handlers = { say: echo("Say"), delete: echo("Delete"), limited: echo("Limited") };
      router.service(ECHO, handlers as unknown as Parameters<typeof router.service>[1]);
    },
  });
  const server =
    version === 1
      ? createServer(application)
      : createHttp2Server((request, response) => application(request, response));
  await once(mesh.attach(server).listen(0, "127.0.0.1"), "listening");
  closing.push(() => server.close());
  return { mesh, seen, baseUrl: `http://127.0.0.1:${(server.address() as AddressInfo).port}` };
}

async function ask(transport: Transport, method: string): Promise<unknown> {
  const client = createClient(ECHO, transport) as unknown as Record<
    string,
    (value: object) => Promise<{ value: string }>
  >;
  return client[method]!({ value: "hello" }).then(
    ({ value }) => value,
    (error: unknown) => ConnectError.from(error).code,
  );
}

it.each([
  [
    "Connect",
    1,
    (baseUrl: string) => createConnectTransport({ baseUrl, httpVersion: "1.1" }),
    Code.Unavailable,
    "http",
  ],
  ["Connect", 2, (baseUrl: string) => createConnectTransport({ baseUrl, httpVersion: "2" }), Code.Unavailable, "http"],
  [
    "gRPC-Web",
    1,
    (baseUrl: string) => createGrpcWebTransport({ baseUrl, httpVersion: "1.1" }),
    Code.Unavailable,
    "http",
  ],
  [
    "gRPC-Web",
    2,
    (baseUrl: string) => createGrpcWebTransport({ baseUrl, httpVersion: "2" }),
    Code.ResourceExhausted,
    "http",
  ],
  ["gRPC", 2, (baseUrl: string) => createGrpcTransport({ baseUrl }), Code.ResourceExhausted, "grpc"],
] as const)("%s over HTTP/%i: serves, denies, limits", async (_, version, transportOf, limited, protocol) => {
  const { mesh, baseUrl, seen } = await serve(version);
  const transport = transportOf(baseUrl);
  expect(await ask(transport, "say")).toBe("hello");
  expect(await ask(transport, "delete")).toBe(Code.PermissionDenied);
  expect(await ask(transport, "limited")).toBe("hello");
  expect(await ask(transport, "limited")).toBe(limited);
  expect(seen).toEqual(["Say", "Limited"]);
  expect(await sums([mesh], "istio_requests_total", ["request_protocol"])).toEqual({ [protocol]: 4 });
});
