/** Who judges and who counts, asked over gRPC: against services made of Envoy's own protos. */

import { once } from "node:events";
import { createServer, type IncomingHttpHeaders } from "node:http";
import type { AddressInfo } from "node:net";
import { GrpcRateLimitService, ServiceClients } from "@inmesh/grpc";
import { afterEach, describe, expect, it } from "vitest";
import { grpcClientOf, planeOf, startMesh } from "../lib/mesh-of.js";
import { serve, type Unary } from "./envoy-services.js";

const closing: (() => unknown)[] = [];
afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close();
});

function serviceEntry(host: string, port: number): string {
  return `apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: { name: ${host.split(".")[0]}, namespace: default }
spec:
  hosts: [${host}]
  ports: [{ number: 9000, name: grpc, protocol: GRPC }]
  resolution: STATIC
  endpoints: [{ address: 127.0.0.1, ports: { grpc: ${port} } }]
---
`;
}

const ASK = `apiVersion: security.istio.io/v1
kind: AuthorizationPolicy
metadata: { name: ask, namespace: default }
spec: { action: CUSTOM, provider: { name: door }, rules: [{ to: [{ operation: { paths: ["/asked*"] } }] }] }
---
`;

const provider = (more: string) => `apiVersion: mesh.istio.io/v1alpha1
kind: MeshConfig
extensionProviders: [{ name: door, envoyExtAuthzGrpc: { service: door.test, port: 9000${more} } }]
---
`;

/** A member whose requests the authorizer judges. */
async function judged(check: Unary, more = "") {
  const port = await serve("envoy.service.auth.v3.Authorization", { Check: check }, closing);
  const mesh = await startMesh(`${serviceEntry("door.test", port)}${provider(more)}${ASK}`, closing);
  const seen: { url: string; headers: IncomingHttpHeaders; body: string }[] = [];
  const server = createServer(async (request, response) => {
    let body = "";
    for await (const chunk of request) body += chunk;
    seen.push({ url: request.url ?? "", headers: request.headers, body });
    response.end("served");
  });
  closing.push(() => server.close().closeAllConnections());
  await once(mesh.attach(server).listen(0, "127.0.0.1"), "listening");
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  return { url, seen };
}

describe("an authorizer over gRPC", () => {
  it("is told all of a request, and what it says of headers holds for the application and for the caller", async () => {
    const asked: Record<string, unknown>[] = [];
    const { url, seen } = await judged(({ request }, done) => {
      asked.push(request);
      const header = (key: string, value: string) => ({ header: { key, value } });
      done(null, {
        status: { code: 0 },
        ok_response: {
          headers: [
            { ...header("x-user", "ann"), append: { value: false } },
            { ...header("x-role", "admin"), append: { value: true } },
            header(":path", "/elsewhere"),
          ],
          headers_to_remove: ["x-secret"],
          response_headers_to_add: [{ ...header("x-judged", "yes"), append: { value: false } }],
        },
      });
    }, ", includeRequestBodyInCheck: { maxRequestBytes: 100 }");
    const headers = { "x-user": "root", "x-role": "guest", "x-secret": "1", "x-request-id": "r-1" };
    const response = await fetch(`${url}/asked?q=1`, { method: "POST", headers, body: "grüße" });
    expect([response.status, await response.text(), response.headers.get("x-judged")]).toEqual([200, "served", "yes"]);
    expect(asked).toMatchObject([
      {
        attributes: {
          source: { address: { socket_address: { address: "127.0.0.1" } } },
          destination: { address: { socket_address: { port_value: Number(new URL(url).port) } } },
          request: {
            http: {
              ...{ id: "r-1", method: "POST", path: "/asked?q=1", scheme: "http", protocol: "HTTP/1.1", body: "grüße" },
              ...{ size: 7, host: new URL(url).host },
              headers: { ":method": "POST", "x-user": "root", "x-envoy-auth-partial-body": "false" },
            },
          },
        },
      },
    ]);
    expect(seen).toMatchObject([{ url: "/asked?q=1", body: "grüße", headers: { "x-user": "ann" } }]);
    expect(seen[0]?.headers["x-role"]).toBe("guest,admin");
    expect(seen[0]?.headers).not.toHaveProperty("x-secret");
    await fetch(`${url}/else`);
    expect(asked).toHaveLength(1);
  });

  it("refuses with its own answer, and with 403 where it says no more than no", async () => {
    const { url, seen } = await judged(({ request }, done) => {
      const path = JSON.stringify(request).includes("/asked/login");
      const denied = {
        status: { code: "Found" },
        headers: [{ header: { key: "Location", value: "/in" } }],
        body: "go",
      };
      done(null, { status: { code: 7 }, ...(path && { denied_response: denied }) });
    });
    const login = await fetch(`${url}/asked/login`, { redirect: "manual" });
    expect([login.status, login.headers.get("location"), await login.text()]).toEqual([302, "/in", "go"]);
    expect((await fetch(`${url}/asked`)).status).toBe(403);
    expect(seen).toEqual([]);
  });

  it.each([
    ["", 403],
    [', statusOnError: "503"', 503],
    [", failOpen: true", 200],
  ])("that fails is answered for by its definition %s", async (more, status) => {
    const { url } = await judged((_, done) => done({ code: 13, details: "broken" }), more);
    expect((await fetch(`${url}/asked`)).status).toBe(status);
  });

  it("that is silent is waited for no longer than timeout", async () => {
    const { url } = await judged(() => {}, ", timeout: 0.2s");
    expect((await fetch(`${url}/asked`)).status).toBe(403);
  });
});

describe("a rate limit service over gRPC", () => {
  it("hears domain, descriptors and cost, and says of each what is left", async () => {
    const asked: unknown[] = [];
    const answer = {
      overall_code: "OVER_LIMIT",
      statuses: [
        { code: "OK", current_limit: { requests_per_unit: 10, unit: "MINUTE" }, limit_remaining: 300 },
        { code: "OVER_LIMIT", duration_until_reset: { seconds: 3, nanos: 500_000_000 } },
      ],
    };
    const handler: Unary = ({ request }, done) => {
      asked.push(request);
      done(null, answer);
    };
    const handlers = { ShouldRateLimit: handler };
    const port = await serve("envoy.service.ratelimit.v3.RateLimitService", handlers, closing);
    const mesh = await startMesh(serviceEntry("limits.test", port), closing);
    const clients = new ServiceClients(() => grpcClientOf(mesh), planeOf(mesh).clock);
    closing.push(() => clients.close());
    const service = new GrpcRateLimitService({ clients, host: "limits.test", port: 9000, timeoutMs: 5_000 });
    const descriptors = [
      { entries: [{ key: "generic_key", value: "all" }] },
      {
        entries: [
          { key: "remote_address", value: "10.0.0.1" },
          { key: "x", value: "" },
        ],
      },
    ];
    expect(await service.shouldRateLimit({ domain: "shop", descriptors, hitsAddend: 200 })).toEqual({
      overallCode: "OVER_LIMIT",
      statuses: [
        { code: "OK", currentLimit: { requests: 10, perMs: 60_000 }, limitRemaining: 300 },
        { code: "OVER_LIMIT", durationUntilResetMs: 3_500 },
      ],
      requestHeadersToAdd: [],
      responseHeadersToAdd: [],
    });
    expect(asked).toMatchObject([{ domain: "shop", descriptors, hits_addend: 200 }]);
    const ended = service.shouldRateLimit({ domain: "shop", descriptors }, AbortSignal.abort(new Error("enough")));
    await expect(ended).rejects.toThrow("enough");
  });
});
