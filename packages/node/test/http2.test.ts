/** HTTP/2 as people ask for it: documents in, HTTP/2 on the wire, whatever MeshMode says. */

import { once } from "node:events";
import { createServer, type IncomingHttpHeaders, type ServerHttp2Session } from "node:http2";
import type { AddressInfo } from "node:net";
import { afterEach, expect, it } from "vitest";
import { meshOfYaml } from "./yaml-mesh.js";

const closing: (() => unknown)[] = [];
afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close();
});

it.each([
  ["a port named grpc", "grpc", "GRPC", ""],
  ["h2UpgradePolicy", "http", "HTTP", "{ connectionPool: { http: { h2UpgradePolicy: UPGRADE } } }"],
])("%s has it spoken, and switching policy off does not change that", async (_, name, protocol, policy) => {
  const seen: IncomingHttpHeaders[] = [];
  const sessions = new Set<ServerHttp2Session>();
  const server = createServer();
  server.on("session", (session) => sessions.add(session));
  server.on("stream", (stream, headers) => {
    seen.push(headers);
    stream.respond({ ":status": 200 });
    stream.end("two");
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  closing.push(() => {
    for (const session of sessions) session.destroy();
    server.close();
  });
  const documents = [
    `apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: { name: stock, namespace: default }
spec:
  hosts: [stock.example]
  ports: [{ number: 80, name: ${name}, protocol: ${protocol}, targetPort: ${(server.address() as AddressInfo).port} }]
  resolution: STATIC
  endpoints: [{ address: 127.0.0.1 }]`,
    ...(policy === ""
      ? []
      : [
          `apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: { name: stock, namespace: default }
spec: { host: stock.example, trafficPolicy: ${policy} }`,
        ]),
  ];
  const off = `apiVersion: inmesh.dev/v1alpha1
kind: MeshMode
metadata: { name: off, namespace: istio-system }
spec: { mode: "off" }`;
  for (const all of [documents, [...documents, off]]) {
    const mesh = await meshOfYaml(all.join("\n---\n"), "shop", closing);
    const response = await mesh.fetch("http://stock.example/items", { method: "POST", body: "order" });
    expect([response.status, await response.text()]).toEqual([200, "two"]);
  }
  expect(seen.map((headers) => headers[":authority"])).toEqual(["stock.example", "stock.example"]);
});
