/** Limits and circuit breakers as people write them: documents in, requests over real sockets. */

import { once } from "node:events";
import { createServer, type RequestListener } from "node:http";
import type { AddressInfo } from "node:net";
import { afterEach, expect, it } from "vitest";
import { until } from "./until.js";
import { meshOfYaml } from "./yaml-mesh.js";

const closing: (() => unknown)[] = [];
afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close();
});

/** @param policy a DestinationRule's */
async function meshWith(answer: RequestListener, policy: string, ...documents: readonly string[]) {
  const server = createServer(answer).listen(0, "127.0.0.1");
  await once(server, "listening");
  closing.push(() => {
    server.closeAllConnections();
    server.close();
  });
  const yaml = [
    `apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: { name: stock, namespace: default }
spec:
  hosts: [stock.example]
  ports: [{ number: 80, name: http, protocol: HTTP, targetPort: ${(server.address() as AddressInfo).port} }]
  resolution: STATIC
  endpoints: [{ address: 127.0.0.1 }]`,
    `apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: { name: stock, namespace: default }
spec: { host: stock.example, trafficPolicy: ${policy} }`,
    `apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: { name: stock, namespace: default }
spec:
  hosts: [stock.example]
  http: [{ retries: { attempts: 1, retryOn: 5xx }, route: [{ destination: { host: stock.example } }] }]`,
    ...documents,
  ].join("\n---\n");
  const mesh = await meshOfYaml(yaml, "shop", closing);
  const ask = async () => {
    const response = await mesh.fetch("http://stock.example/");
    return { status: response.status, error: response.headers.get("x-inmesh-error"), text: await response.text() };
  };
  return { ask };
}

/** Answers with `status` once it is let go. */
function gate(status: number) {
  const held: (() => void)[] = [];
  let seen = 0;
  return {
    held,
    seen: () => seen,
    release: () => {
      for (const each of held.splice(0)) each();
    },
    answer: ((_, response) => {
      seen += 1;
      held.push(() => response.writeHead(status).end("answer"));
    }) satisfies RequestListener,
  };
}

it("http2MaxRequests: no more requests under way", async () => {
  const { held, answer, release } = gate(200);
  const { ask } = await meshWith(answer, "{ connectionPool: { http: { http2MaxRequests: 2 } } }");
  const served = [ask(), ask()];
  await until(() => held.length === 2);
  const { error, text } = await ask();
  expect(error).toBe("OVERFLOW");
  expect(text).toContain("as many as DestinationRule default/stock allows (connectionPool.http.http2MaxRequests: 2)");
  release();
  expect((await Promise.all(served)).map(({ status }) => status)).toEqual([200, 200]);
});

it.each([
  ["maxRetries", "{ connectionPool: { http: { maxRetries: 1 } } }"],
  ["retryBudget", "{ retryBudget: { percent: 10, minRetryConcurrency: 1, budgetInterval: 0s } }"],
])("%s: no more retries under way", async (_, policy) => {
  const { held, answer, release, seen } = gate(503);
  const { ask } = await meshWith(answer, policy);
  const answered = [ask(), ask(), ask()];
  await until(() => held.length === 3);
  release();
  await until(() => held.length === 1); // after its back-off
  release();
  expect((await Promise.all(answered)).map(({ status }) => status)).toEqual([503, 503, 503]);
  expect(seen()).toBe(4);
});

it("CircuitBreaker: opens, and falls back", async () => {
  let seen = 0;
  const { ask } = await meshWith(
    (_, response) => {
      seen += 1;
      response.writeHead(503).end();
    },
    "{ loadBalancer: { simple: RANDOM } }",
    `apiVersion: inmesh.dev/v1alpha1
kind: CircuitBreaker
metadata: { name: stock, namespace: default }
spec:
  host: stock.example
  scope: CLUSTER
  window: 10s
  minRequests: 4
  failurePercent: 50
  slowCall: { duration: 5s, percent: 50 }
  openFor: 60s
  probes: 3
  fallback: { response: { status: 200, headers: { content-type: application/json }, body: "[]" } }`,
  );
  const outcomes: string[] = [];
  await until(async () => {
    const { status, error, text } = await ask();
    outcomes.push(`${status} ${text}`);
    return error === "BREAKER_OPEN";
  });
  expect(outcomes.at(-1)).toBe("200 []");
  const before = seen;
  expect((await ask()).text).toBe("[]");
  expect(seen).toBe(before);
});
