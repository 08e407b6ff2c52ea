/** RateLimits with `service`: processes of one service share what a server of Envoy's rate limit service counts, over HTTP and gRPC. */

import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { ServerCredentials } from "@grpc/grpc-js";
import { afterEach, expect, it } from "vitest";
import { ECHO, echoHandlers } from "../echo.js";
import { startMesh } from "../lib/mesh-of.js";
import { clientOf, say } from "../server/served-mesh.js";
import { serve, type Unary } from "./envoy-services.js";

const closing: (() => unknown)[] = [];
afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close();
});

interface Asked {
  readonly domain: string;
  readonly hits_addend: number;
  readonly descriptors: readonly { readonly entries: readonly { readonly key: string; readonly value: string }[] }[];
}

/** Lets `most` requests of each user pass. */
async function counter(most: number) {
  const asked: Asked[] = [];
  const counts = new Map<string, number>();
  const handler: Unary = ({ request }, done) => {
    const message = request as unknown as Asked;
    asked.push(message);
    const statuses = message.descriptors.map(({ entries }) => {
      const key = JSON.stringify(entries);
      const count = (counts.get(key) ?? 0) + 1;
      counts.set(key, count);
      const current_limit = { requests_per_unit: most, unit: "MINUTE" };
      return count > most
        ? { code: "OVER_LIMIT", current_limit, duration_until_reset: { seconds: 7 } }
        : { code: "OK", current_limit, limit_remaining: most - count, duration_until_reset: { seconds: 7 } };
    });
    done(null, {
      ...{ overall_code: statuses.some(({ code }) => code === "OVER_LIMIT") ? "OVER_LIMIT" : "OK", statuses },
      response_headers_to_add: [{ key: "x-plan", value: "free" }],
      request_headers_to_add: [{ key: "x-tier", raw_value: Buffer.from("gold") }],
    });
  };
  const port = await serve("envoy.service.ratelimit.v3.RateLimitService", { ShouldRateLimit: handler }, closing);
  return { port, asked };
}

const policy = (port: number, more: string) => `apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: { name: limits, namespace: default }
spec:
  hosts: [limits.test]
  ports: [{ number: 9000, name: grpc, protocol: GRPC }]
  resolution: STATIC
  endpoints: [{ address: 127.0.0.1, ports: { grpc: ${port} } }]
---
apiVersion: inmesh.dev/v1alpha1
kind: RateLimit
metadata: { name: web, namespace: default }
spec:
  host: web
  service: { host: limits.test, port: 9000, domain: shop, ${more} }
  rules:
    - { name: by-user, by: ["header:x-user", METHOD], match: [{ uri: { prefix: /shop.Echo/Say } }], hitsAddend: 2 }
`;

/** A process of the service, over HTTP and over gRPC. */
async function member(port: number, more = "timeout: 10s") {
  const mesh = await startMesh(policy(port, more), closing);
  const web = createServer((request, response) => {
    request.resume().on("end", () => response.end(`served ${request.headers["x-tier"] ?? ""}`.trim()));
  });
  await once(mesh.attach(web).listen(0, "127.0.0.1"), "listening");
  closing.push(() => web.close().closeAllConnections());
  const server = mesh.grpc.server();
  const log = { calls: [] as string[], cancelled: [] as string[], metadata: {} };
  server.addService(ECHO, echoHandlers(log));
  closing.push(() => server.forceShutdown());
  const bound = await new Promise<number>((resolve, reject) => {
    const credentials = ServerCredentials.createInsecure();
    server.bindAsync("127.0.0.1:0", credentials, (error, at) => (error ? reject(error) : resolve(at)));
  });
  const client = clientOf(bound);
  closing.push(() => client.close());
  const url = `http://127.0.0.1:${(web.address() as AddressInfo).port}`;
  return {
    log,
    post: (user: string, path = "/shop.Echo/Say") =>
      fetch(`${url}${path}`, { method: "POST", body: "hello", headers: { "x-user": user } }),
    call: (user: string) => say(client, { headers: { "x-user": user } }),
  };
}

it("is one limit for two processes, HTTP and gRPC, and each caller has its own", async () => {
  const { port, asked } = await counter(3);
  const [one, other] = [await member(port), await member(port)];
  const first = await one.post("ann");
  const name = '"default/web/by-user"';
  expect([first.status, first.headers.get("x-plan"), await first.text()]).toEqual([200, "free", "served gold"]);
  expect([first.headers.get("ratelimit-policy"), first.headers.get("ratelimit")]).toEqual([
    `${name};q=3;w=60`,
    `${name};r=2;t=7`,
  ]);
  expect(await one.call("ann")).toMatchObject({ code: 0, answer: "hello", head: { "x-plan": "free" } });
  expect(await (await other.post("ann")).text()).toBe("served gold");
  const refused = await other.post("ann");
  expect([refused.status, refused.headers.get("retry-after")]).toEqual([429, "7"]);
  expect(refused.headers.get("x-envoy-ratelimited")).toBe("true");
  expect([refused.headers.get("x-plan"), refused.headers.get("ratelimit")]).toEqual(["free", `${name};r=0;t=7`]);
  expect(await refused.text()).toContain('rate limit "default/web/by-user" is used up for all processes together');
  const status = await other.call("ann");
  expect([status.code, status.trailers["grpc-retry-pushback-ms"]]).toEqual([8, "7000"]);
  expect([one.log.calls, other.log.calls]).toEqual([["Say"], []]);
  expect((await other.call("bob")).code).toBe(0);
  // As Envoy's actions generic_key, request_headers and their like have it.
  const entries = [
    { key: "generic_key", value: "by-user" },
    { key: "x-user", value: "ann" },
    { key: ":method", value: "POST" },
  ];
  expect(asked[0]).toMatchObject({ domain: "shop", descriptors: [{ entries }], hits_addend: 2 });
  const before = asked.length;
  expect((await one.post("ann", "/elsewhere")).status).toBe(200);
  expect(asked.length).toBe(before);
});

it.each([
  ["failureModeDeny: false", 200, 0],
  ["failureModeDeny: true", 500, 2],
])("is answered for by failureModeDeny (%s) when its service is not there", async (mode, status, code) => {
  const { post, call, log } = await member(1, mode); // nobody listens on port 1
  expect((await post("ann")).status).toBe(status);
  const ended = await call("ann");
  expect(ended.code).toBe(code);
  expect(log.calls.length).toBe(code === 0 ? 1 : 0);
  if (code !== 0) expect(ended.details).toContain("RATE_LIMIT_UNAVAILABLE");
});

it("is not waited for longer than timeout", async () => {
  const silent: Unary = () => {};
  const port = await serve("envoy.service.ratelimit.v3.RateLimitService", { ShouldRateLimit: silent }, closing);
  const { post } = await member(port, "timeout: 50ms");
  expect((await post("ann")).status).toBe(200);
});
