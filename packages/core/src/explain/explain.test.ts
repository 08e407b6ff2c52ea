import {
  type ClientContext,
  compile,
  parseDocuments,
  type Resource,
  validateDocument,
  type Workload,
} from "@inmesh/model";
import { describe, expect, it } from "vitest";
import { resourcesIn } from "../testing/policy-resources.test.helper.js";
import { explain } from "./explain.js";
import type { ExplainRequest } from "./explanation.js";

const CLIENT: ClientContext = { namespace: "shop", service: "web", labels: {} };

const POLICY = `apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: reviews, namespace: shop}
spec:
  hosts: [reviews]
  http:
  - name: beta
    match:
    - headers: {x-user: {exact: ann}}
    route: [{destination: {host: reviews, subset: v2}}]
  - match: [{uri: {prefix: /old}}]
    redirect: {uri: /new, redirectCode: 308}
  - match: [{uri: {exact: /ping}}]
    directResponse: {status: 200, body: {string: pong}}
    headers: {response: {set: {x-by: mesh}}}
  - match: [{uri: {prefix: /broken}}]
    fault: {abort: {httpStatus: 418, percentage: {value: 100}}, delay: {fixedDelay: 2s, percentage: {value: 50}}}
    route: [{destination: {host: reviews}}]
  - match: [{uri: {prefix: /copied}}]
    mirrors:
    - {destination: {host: stock}}
    - {destination: {host: stock}, percentage: {value: 0}}
    - {destination: {host: reviews, subset: v2}, percentage: {value: 12.5}}
    - {destination: {host: nobody}}
    route: [{destination: {host: reviews}}]
  - match: [{uri: {prefix: /lost}}]
    route: [{destination: {host: nobody}}]
  - match: [{uri: {prefix: /api}}]
    rewrite: {uri: /v1, authority: internal}
    timeout: 5s
    retries: {attempts: 3, perTryTimeout: 1s, retryOn: "5xx,reset"}
    headers:
      request: {set: {x-set: s}, add: {x-add: "%REQ(x-add)%!"}, remove: [x-gone]}
      response: {set: {a: r}, remove: [c]}
    route:
    - {destination: {host: reviews, subset: v1}, weight: 90, headers: {response: {set: {a: d, b: d}, add: {c: d}}}}
    - {destination: {host: reviews, subset: v2}, weight: 10}
---
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: {name: reviews, namespace: shop}
spec:
  host: reviews
  subsets: [{name: v1, labels: {version: v1}}, {name: v2, labels: {version: v2}}]
`;

const RESOURCES = resourcesIn(POLICY, "mesh/reviews.yaml");

function running(service: string, version: string): Workload {
  const ports = [{ number: 3000, name: "http" }];
  return {
    name: version,
    namespace: "shop",
    service,
    address: "10.0.0.1",
    ports,
    labels: { version },
    weight: 1,
    healthy: true,
  };
}

function snapshotOf(resources: readonly Resource[] = RESOURCES) {
  const workloads = [running("reviews", "v1"), running("stock", "v1")];
  return compile({ resources, workloads, client: CLIENT, problems: [], version: 7 });
}

const ask = (request: ExplainRequest) => explain(snapshotOf(), request);
const get = (path: string, headers: Record<string, string> = {}) => ask({ url: `http://reviews${path}`, headers });

it("names the mirrors of a rule, the field that gave each, and those that do not exist", () => {
  const { mirrors, steps, outcome } = get("/copied");
  expect(outcome).toBe("route");
  const inShop = { host: "stock.shop.svc.cluster.local", port: 80, subset: "" };
  expect(mirrors).toEqual([
    {
      ...inShop,
      ...{ field: "mirrors[0]", cluster: "outbound|80||stock.shop.svc.cluster.local", percent: 100, endpoints: 1 },
    },
    {
      ...{ field: "mirrors[2]", cluster: "outbound|80|v2|reviews.shop.svc.cluster.local", percent: 12.5 },
      ...{ host: "reviews.shop.svc.cluster.local", port: 80, subset: "v2", endpoints: 0 },
    },
    {
      ...{ field: "mirrors[3]", cluster: "outbound|80||nobody.shop.svc.cluster.local", percent: 100 },
      ...{ host: "nobody.shop.svc.cluster.local", port: 80, subset: "", endpoints: 0 },
    },
  ]);
  expect(steps.slice(-3)).toEqual([
    "mirrors[0]: a copy of 100% of the requests goes to outbound|80||stock.shop.svc.cluster.local, endpoints: 1",
    "mirrors[2]: a copy of 12.5% of the requests goes to outbound|80|v2|reviews.shop.svc.cluster.local, without an endpoint now: it gets lost",
    "mirrors[3]: outbound|80||nobody.shop.svc.cluster.local does not exist, so no copy is sent; the request is",
  ]);
});

describe("explain, while a mode keeps policy from applying", () => {
  const [mode] = parseDocuments(
    "apiVersion: inmesh.dev/v1alpha1\nkind: MeshMode\nmetadata: {name: m, namespace: shop}\nspec: {mode: observe}\n",
    { file: "mode.yaml" },
  ).documents;
  const resource = mode && validateDocument(mode).resource;
  const asked = { url: "http://reviews/old" };

  it("tells the plain way, which rule does not apply and why, and what it would do", () => {
    const observe = snapshotOf([...RESOURCES, ...(resource ? [resource] : [])]);
    const answer = explain(observe, asked);
    expect([answer.outcome, answer.route?.resource, answer.snapshot.mode]).toEqual(["route", null, "observe"]);
    expect(answer.steps[0]).toBe(
      "MeshMode/shop/m says mode observe here, so policy does not apply; with mode on VirtualService/shop/reviews would",
    );
    expect(answer.would).toMatchObject({ outcome: "redirect", status: 308, would: null });
    expect(explain(observe, { url: "http://reviews/api" }).steps[0]).toMatch(
      /VirtualService\/shop\/reviews and DestinationRule\/shop\/reviews \(but for its TLS\) would$/,
    );
  });

  it("tells that a process which only observes is not in the way", () => {
    const on = snapshotOf();
    const answer = explain(on, asked, { onlyObserves: true });
    expect([answer.outcome, answer.virtualHost, answer.would?.outcome]).toEqual(["passThrough", null, "redirect"]);
    expect(answer.steps).toEqual([expect.stringMatching(/mode observe, by its own setting/)]);
    expect(explain(on, asked).would).toBeNull();
  });
});

describe("explain", () => {
  it.each([
    ["/x", { "x-user": "ann" }, "route", null],
    ["/old/1?q", {}, "redirect", 308],
    ["/ping", {}, "directResponse", 200],
    ["/broken", {}, "fault", 418],
    ["/lost", {}, "noDestination", 503],
    ["/nothing", {}, "notFound", 404],
  ])("says of %s with %j: %s %j", (path, headers, outcome, status) => {
    const answer = get(path, headers as Record<string, string>);
    expect([answer.outcome, answer.status]).toEqual([outcome, status]);
  });

  it("shows the request as the upstream sees it, limits, retries and what becomes of the answer", () => {
    expect(get("/api/7?q=1", { "x-add": "a", "X-Gone": "1" })).toMatchObject({
      host: "reviews",
      virtualHost: "reviews.shop.svc.cluster.local:80",
      outcome: "route",
      destinations: [
        { cluster: "outbound|80|v1|reviews.shop.svc.cluster.local", subset: "v1", weight: 90, endpoints: 1 },
        { subset: "v2", weight: 10, endpoints: 0 },
      ],
      request: { method: "GET", path: "/v1/7?q=1", authority: "internal", headers: { "x-add": "a,a!", "x-set": "s" } },
      timeoutMs: 5_000,
      retries: { attempts: 3, perTryTimeoutMs: 1_000, retryOn: ["5xx", "reset"] },
      // The destination's operations come first, so the route's win.
      responseHeaders: { set: { a: "r", b: "d" }, add: {}, remove: ["c"] },
      snapshot: { version: 7, mode: "on" },
    });
  });

  it.each([
    ["/x/../ping", "directResponse", "/ping"],
    ["/%70ing", "directResponse", "/ping"],
    ["/api/./a^b?c^d", "route", "/v1/a%5Eb?c^d"],
    ["/api/a%2fb", "route", "/v1/a%2fb"],
  ])("takes %s in the mesh's spelling: %s of %s", (path, outcome, seen) => {
    expect(get(path)).toMatchObject({ outcome, request: { path: seen } });
  });

  it("gives location, body and fault", () => {
    expect(get("/old/1?q").redirect).toEqual({ status: 308, location: "http://reviews/new?q" });
    expect(get("/ping")).toMatchObject({
      directResponse: { status: 200, body: "pong" },
      responseHeaders: { set: { "x-by": "mesh" } },
    });
    expect(get("/broken").fault).toEqual({
      delayMs: 2_000,
      delayPercent: 50,
      abortStatus: 418,
      abortGrpcStatus: null,
      abortPercent: 100,
    });
  });

  it("says where the rule is written, and why those before it did not match", () => {
    const answer = get("/ping");
    expect(answer.route).toEqual({
      name: "default",
      resource: "VirtualService/shop/reviews",
      path: "spec.http[2].match[0]",
      file: "mesh/reviews.yaml",
      line: 13,
      column: 13,
    });
    expect(answer.steps).toEqual([
      "reviews, port 80, is reviews.shop.svc.cluster.local:80: rules of VirtualService/shop/reviews",
      '"beta" (spec.http[0].match[0]) of VirtualService/shop/reviews, mesh/reviews.yaml:9:7, does not match: header x-user is missing, wanted: header x-user exact "ann"',
      'spec.http[1].match[0] of VirtualService/shop/reviews, mesh/reviews.yaml:11:13, does not match: path is "/ping", wanted: path prefix "/old"',
      'spec.http[2].match[0] of VirtualService/shop/reviews, mesh/reviews.yaml:13:13, matches: path exact "/ping"',
    ]);
  });

  it("tells of destinations that nobody stands behind", () => {
    expect(get("/x", { "x-user": "ann" }).steps.at(-1)).toBe(
      "goes to outbound|80|v2|reviews.shop.svc.cluster.local, weight 100, without an endpoint now: 503 until one is there; auto mTLS",
    );
    expect(get("/lost").steps.at(-1)).toContain("does not exist");
  });

  it("tells of TLS: what is asked for and wanted, where that is written, and that it cannot be had", () => {
    const told = (tls: string) => {
      const text = `apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: {name: stock, namespace: shop}
spec:
  host: stock
  trafficPolicy:
    tls: {${tls}}
`;
      const [rule] = parseDocuments(text, { file: "mesh/stock.yaml" }).documents;
      const { resource } = validateDocument(rule!); // one document above
      return explain(snapshotOf([...RESOURCES, resource!]), { url: "http://stock/a" });
    };
    const simple = told("mode: SIMPLE, sni: s.test");
    const words = `SIMPLE, asking for "s.test"; its certificate must be for that name, by Node's roots (DestinationRule/shop/stock spec.trafficPolicy.tls)`;
    expect([simple.status, simple.destinations[0]?.tls]).toMatchObject([
      null,
      { mode: "SIMPLE", sni: "s.test", text: words, file: "mesh/stock.yaml", line: 7, path: "spec.trafficPolicy.tls" },
    ]);
    expect(simple.steps.at(-1)).toContain(`; TLS ${words}`);
    const mutual = told("mode: ISTIO_MUTUAL");
    expect([mutual.outcome, mutual.status]).toEqual(["route", null]);
    const asked =
      'ISTIO_MUTUAL, showing the identity of the process, asking for "outbound_.80_._.stock.shop.svc.cluster.local"';
    expect(mutual.destinations[0]?.tls?.text).toContain(
      `${asked}; its certificate must be for "spiffe://cluster.local/ns/shop/sa/stock", by the roots of the mesh (DestinationRule`,
    );
    const files = told("mode: MUTUAL, clientCertificate: /c.pem, privateKey: /k.pem");
    expect(files.destinations[0]?.tls?.text).toContain(
      "MUTUAL, showing /c.pem with /k.pem, asking for the request's host",
    );
    const refused = told("mode: MUTUAL, credentialName: secret");
    expect([refused.status, refused.destinations[0]?.tls?.refusal]).toEqual([503, expect.stringContaining("secret")]);
    expect(told("mode: DISABLE").destinations[0]?.tls).toBeNull();
  });

  it("names the Sidecar through which a host is not seen", () => {
    const text = `apiVersion: networking.istio.io/v1
kind: Sidecar
metadata: {name: narrow, namespace: shop}
spec:
  egress: [{hosts: [./reviews.shop.svc.cluster.local]}]
`;
    const [sidecar] = parseDocuments(text, { file: "mesh/narrow.yaml" }).documents;
    const { resource } = validateDocument(sidecar!); // one document above
    const { outcome, steps } = explain(snapshotOf([...RESOURCES, resource!]), { url: "http://unseen/a" });
    expect(outcome).toBe("passThrough");
    expect(steps[0]).toContain("that this client sees through Sidecar/shop/narrow has unseen on port 80");
  });

  it("knows a service's default route, and hosts that are not the mesh's", () => {
    expect(ask({ url: "http://stock/a" })).toMatchObject({
      outcome: "route",
      route: { name: "default", resource: null },
    });
    expect(ask({ url: "http://example.com/" })).toMatchObject({
      outcome: "passThrough",
      virtualHost: null,
      status: null,
    });
    const [config] = parseDocuments("outboundTrafficPolicy: {mode: REGISTRY_ONLY}", { file: "mesh.yaml" }).documents;
    const { resource } = validateDocument(config!); // one document above
    expect(explain(snapshotOf([resource!]), { url: "http://example.com/" })).toMatchObject({
      outcome: "unknownHost",
      status: 502,
    });
  });

  it.each<[ExplainRequest, string, string, number]>([
    [{ url: "http://reviews" }, "reviews", "/", 80],
    [{ url: "https://Reviews:8443/a b#c" }, "Reviews:8443", "/a b", 8443],
    [{ url: "http://reviews?q" }, "reviews", "/?q", 80],
    [{ host: "reviews:81", path: "/x" }, "reviews:81", "/x", 81],
    [{ host: "reviews:81", path: "/x", port: 80 }, "reviews:81", "/x", 80],
    [{ host: "reviews", scheme: "https" }, "reviews", "/", 443],
    [{ url: "http://[::1]:90/" }, "[::1]:90", "/", 90],
  ])("reads %j", (request, authority, path, port) => {
    const answer = ask(request);
    expect([answer.request.authority, answer.request.path]).toEqual([authority, path]);
    expect(answer.steps[0]).toContain(`port ${port}`);
  });

  it.each([{}, { url: "reviews/x" }, { host: "reviews", path: "x" }, { url: "http:///x" }])("refuses %j", (request) => {
    expect(() => ask(request)).toThrowError(expect.objectContaining({ code: "CONFIG_INVALID" }));
  });
});
