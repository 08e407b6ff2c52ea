/** Outlier detection and health checks as people write them: documents in, requests over real sockets, the admin endpoint's word. */

import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import type { ClustersView, EventsView } from "@inmesh/core/admin";
import { afterEach, expect, it } from "vitest";
import { until } from "./until.js";
import { meshOfYaml } from "./yaml-mesh.js";

const closing: (() => unknown)[] = [];
afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close();
});

/** A replica of the service; what it answers may be changed. */
async function replica() {
  const answers = { call: 200, check: 200, checked: 0 };
  const server = createServer(({ url, headers }, response) => {
    const isCheck = url === "/healthz" && headers.host === "pay.internal";
    if (isCheck) answers.checked += 1;
    response.statusCode = isCheck ? answers.check : answers.call;
    response.end();
  }).listen(0, "127.0.0.1");
  await once(server, "listening");
  closing.push(() => {
    server.closeAllConnections();
    server.close();
  });
  return Object.assign(answers, { port: (server.address() as AddressInfo).port });
}

it("leaves a replica out that fails, and one whose checks fail, says so, and takes the latter back when they succeed", async () => {
  const replicas = [await replica(), await replica(), await replica()];
  const [sick, unwell] = replicas as [Awaited<ReturnType<typeof replica>>, Awaited<ReturnType<typeof replica>>];
  const yaml = `apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: { name: pay, namespace: default }
spec:
  hosts: [pay.example]
  ports: [{ number: 80, name: http, protocol: HTTP }]
  resolution: STATIC
  endpoints: [${replicas.map(({ port }) => `{ address: 127.0.0.1, ports: { http: ${port} } }`).join(", ")}]
---
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: { name: pay, namespace: default }
spec:
  host: pay.example
  trafficPolicy:
    outlierDetection: { consecutive5xxErrors: 2, maxEjectionPercent: 50, baseEjectionTime: 30s, interval: 10s }
---
apiVersion: inmesh.dev/v1alpha1
kind: Resilience
metadata: { name: pay, namespace: default }
spec:
  host: pay.example
  healthCheck:
    http: { path: /healthz, host: pay.internal, expectedStatuses: ["200-204"] }
    interval: 100ms
    timeout: 2s
    unhealthyThreshold: 2
    healthyThreshold: 1
`;
  const mesh = await meshOfYaml(yaml, "shop", closing);
  const read = async <View>(page: string) => (await (await fetch(`${mesh.adminUrl}${page}`)).json()) as View;
  const usable = async () => (await read<ClustersView>("/clusters")).clusters[0]?.usable;
  const ask = async () => (await mesh.fetch("http://pay.example/")).status;

  expect(await ask()).toBe(200);
  sick.call = 500;
  unwell.check = 503;
  await until(async () => {
    await ask();
    return (await usable()) === 1;
  });
  for (let n = 0; n < 10; n++) expect(await ask()).toBe(200);
  const [view] = (await read<ClustersView>("/clusters")).clusters;
  const why = Object.fromEntries(view!.endpoints.map(({ id, out }) => [id.split(":")[1], out?.map(({ by }) => by)]));
  expect(why[unwell.port]).toEqual(["healthCheck"]);
  unwell.check = 204;
  await until(async () => (await usable()) === 2);
  const { events } = await read<EventsView>("/events");
  const said = events.filter(({ kind }) => kind === "health").map(({ message }) => message);
  expect(said.join("\n")).toMatch(
    new RegExp(`:${sick.port} of .* is out: 2 attempts in a row failed, for \\d+ ms more`),
  );
  expect(said.join("\n")).toMatch(new RegExp(`:${unwell.port} of .* is out: 2 health checks in a row failed: 503`));
  expect(said.join("\n")).toMatch(new RegExp(`:${unwell.port} of .* is in use again`));
});
