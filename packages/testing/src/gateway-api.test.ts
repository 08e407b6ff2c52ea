/** HTTPRoutes and GRPCRoutes of Gateway API over real sockets: what a caller gets, and what the services saw. */

import type { RequestListener } from "node:http";
import { describe, expect, it } from "vitest";
import { type TestMesh, testMesh } from "./index.js";

/** Tells who answered and what arrived. */
const echo =
  (name: string): RequestListener =>
  (request, response) => {
    const { method, url, headers } = request;
    response.setHeader("x-server", name);
    response.end(
      JSON.stringify({ name, method, url, host: headers.host, user: headers["x-user"], beta: headers["x-beta"] }),
    );
  };

const POLICY = `
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: { name: reviews }
spec:
  parentRefs: [{ group: "", kind: Service, name: reviews }]
  rules:
    - name: api
      matches: [{ path: { value: /api } }]
      filters:
        - { type: URLRewrite, urlRewrite: { hostname: inner.example, path: { type: ReplacePrefixMatch, replacePrefixMatch: /v2 } } }
        - { type: RequestHeaderModifier, requestHeaderModifier: { set: [{ name: x-beta, value: 100% }], remove: [x-user] } }
        - { type: ResponseHeaderModifier, responseHeaderModifier: { add: [{ name: x-by, value: mesh }], remove: [x-server] } }
      backendRefs: [{ name: next, port: 80 }]
    - matches: [{ path: { type: Exact, value: /old } }]
      filters: [{ type: RequestRedirect, requestRedirect: { statusCode: 308, path: { type: ReplaceFullPath, replaceFullPath: /new } } }]
    - matches: [{ path: { value: /half } }]
      backendRefs: [{ name: next, port: 80 }, { name: ghost, port: 80 }]
    - matches: [{ path: { value: /none } }]
    - matches: [{ path: { value: /cors } }]
      filters: [{ type: CORS, cors: { allowOrigins: ["https://*.example.com"], allowMethods: ["*"], allowCredentials: true } }]
      backendRefs: [{ name: next, port: 80 }]
`;

const GRPC = `
apiVersion: gateway.networking.k8s.io/v1
kind: GRPCRoute
metadata: { name: calls }
spec:
  parentRefs: [{ group: "", kind: Service, name: reviews, port: 80 }]
  rules:
    - matches: [{ method: { service: shop.Reviews, method: Get }, headers: [{ name: x-user, value: ann }] }]
      filters:
        - { type: RequestHeaderModifier, requestHeaderModifier: { set: [{ name: x-beta, value: calls }] } }
        - { type: ResponseHeaderModifier, responseHeaderModifier: { set: [{ name: x-by, value: mesh }] } }
        - { type: RequestMirror, requestMirror: { backendRef: { name: copy, port: 80 } } }
      backendRefs: [{ name: next, port: 80 }]
    - matches: [{ method: { type: RegularExpression, service: "shop[.].*", method: "List|Watch" } }]
      backendRefs: [{ name: reviews, port: 80 }, { name: next, port: 80, weight: 0 }]
    - matches: [{ method: { service: shop.Gone } }]
      backendRefs: [{ name: ghost, port: 80 }]
`;

const start = () =>
  testMesh({
    services: { reviews: [{ handler: echo("reviews") }], next: [{ handler: echo("next") }] },
    policy: POLICY,
  });

const startGrpc = () =>
  testMesh({
    services: {
      reviews: [{ handler: echo("reviews") }],
      next: [{ handler: echo("next") }],
      copy: [{ handler: echo("copy") }],
    },
    policy: GRPC,
  });

/** Of an answer, or of the error that stands for one. */
async function statusOf(mesh: TestMesh, path: string): Promise<number | undefined> {
  try {
    return (await mesh.fetch(`http://reviews${path}`)).status;
  } catch (error) {
    return (error as { cause?: { status?: number } }).cause?.status ?? (error as { status?: number }).status;
  }
}

describe("HTTPRoutes, over sockets", () => {
  it("rewrite, change headers of both ways, redirect, and answer 404 and 500", async () => {
    await using mesh = await start();
    const answer = await mesh.fetch("http://reviews/api/a?q=1", { headers: { "x-user": "ann" } });
    expect(await answer.json()).toEqual({
      name: "next",
      method: "GET",
      url: "/v2/a?q=1",
      host: "inner.example",
      beta: "100%",
    });
    expect([answer.headers.get("x-by"), answer.headers.get("x-server")]).toEqual(["mesh", null]);
    const moved = await mesh.fetch("http://reviews/old?q", { redirect: "manual" });
    expect([moved.status, moved.headers.get("location")]).toEqual([308, "http://reviews/new?q"]);
    const none = await mesh.fetch("http://reviews/none");
    expect([none.status, await none.text()]).toEqual([
      500,
      "HTTPRoute/default/reviews spec.rules[3] has no backend with a weight above 0\n",
    ]);
    expect(await (await mesh.fetch("http://next/apix")).json()).toMatchObject({ name: "next", url: "/apix" });
  });

  it("match whole elements of a path only", async () => {
    await using mesh = await start();
    const status = (path: string) => statusOf(mesh, path);
    expect([await status("/api"), await status("/api/"), await status("/apix"), await status("/")]).toEqual([
      200, 200, 404, 404,
    ]);
  });

  it("give the share of a backend that is not there a 500", async () => {
    await using mesh = await start();
    const statuses = new Set<number | undefined>();
    for (let count = 0; count < 60; count++) {
      statuses.add(await statusOf(mesh, "/half"));
    }
    expect([...statuses].sort()).toEqual([200, 500]);
  });

  it("answer preflights, those of foreign origins too", async () => {
    await using mesh = await start();
    const ask = async (origin: string) => {
      const headers = { origin, "access-control-request-method": "PUT" };
      const { status, headers: found } = await mesh.fetch("http://reviews/cors", { method: "OPTIONS", headers });
      return [
        status,
        found.get("access-control-allow-origin"),
        found.get("access-control-allow-methods"),
        found.get("access-control-max-age"),
      ];
    };
    expect(await ask("https://shop.example.com")).toEqual([200, "https://shop.example.com", "PUT", "5"]);
    // As from Envoy: what would be allowed is said, and to whom is not, which a browser takes as a no.
    expect(await ask("https://example.org")).toEqual([200, null, "PUT", "5"]);
    expect(mesh.instances("next")[0]?.requests).toBe(0);
  });
});

describe("GRPCRoutes, over sockets", () => {
  it("lead requests to the path of a method, with headers changed and copies sent", async () => {
    await using mesh = await startGrpc();
    const post = (path: string, headers: Record<string, string> = {}) =>
      mesh.fetch(`http://reviews${path}`, { method: "POST", headers, body: "hello" });
    const found = await post("/shop.Reviews/Get", { "x-user": "ann" });
    expect(await found.json()).toMatchObject({ name: "next", url: "/shop.Reviews/Get", beta: "calls" });
    expect(found.headers.get("x-by")).toBe("mesh");
    await expect.poll(() => mesh.instances("copy")[0]?.requests).toBe(1);
    expect(await (await post("/shop.Other/Watch")).json()).toMatchObject({ name: "reviews" });
  });

  it("answer 404 where no method matches, and 503 where nobody is behind one", async () => {
    await using mesh = await startGrpc();
    const status = (path: string) => statusOf(mesh, path);
    expect([await status("/shop.Reviews/Get"), await status("/"), await status("/shop.Gone/Any")]).toEqual([
      404, 404, 503,
    ]);
  });
});
