import { type ClientContext, compile } from "@inmesh/model";
import { expect, it } from "vitest";
import { resourcesIn } from "../testing/policy-resources.test.helper.js";
import { explain } from "./explain.js";

const CLIENT: ClientContext = { namespace: "shop", service: "web", labels: { app: "web" } };

/** Lines are counted from 1: each of the parts below stands on a line of its own. */
const POLICY = `apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: root, namespace: shop}
spec:
  hosts: [reviews]
  http:
  - match: [{uri: {prefix: /admin}, port: 8080}]
    route: [{destination: {host: reviews}}]
  - match:
    - {sourceLabels: {app: jobs}}
    - {sourceNamespace: billing}
    - {gateways: [edge]}
    - {headers: {x-user: {exact: ann}}}
    directResponse: {status: 403}
  - match: [{uri: {prefix: /given}}]
    timeout: 3s
    corsPolicy: {allowOrigins: [{exact: "https://a"}]}
    delegate: {name: given, namespace: team}
  - match: [{uri: {prefix: /host}}]
    headers:
      request:
        set: {Host: by-header}
    route: [{destination: {host: reviews}}]
  - match: [{uri: {prefix: /only}}]
    route: [{destination: {host: reviews}}]
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: given, namespace: team}
spec:
  http:
  - fault: {delay: {fixedDelay: 1s, percentage: {value: 1}}}
    retries: {attempts: 1}
    rewrite:
      uri: /new
      authority: other
    mirrors:
    - {destination: {host: reviews.shop.svc.cluster.local}}
    route:
    - {destination: {host: reviews.shop.svc.cluster.local, subset: v1}, weight: 0}
    - destination: {host: reviews.shop.svc.cluster.local, subset: v2}
      weight: 100
      headers: {response: {set: {x-a: b}}}
---
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: {name: first, namespace: shop}
spec:
  host: reviews
  subsets:
  - {name: v1, labels: {version: v1}}
---
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: {name: second, namespace: shop}
spec:
  host: reviews
  trafficPolicy:
    connectionPool: {tcp: {connectTimeout: 1s}}
    loadBalancer: {simple: RANDOM}
    portLevelSettings:
    - port: {number: 80}
      loadBalancer: {simple: ROUND_ROBIN}
  subsets:
  - name: v2
    labels: {version: v2}
    trafficPolicy:
      outlierDetection: {consecutive5xxErrors: 7}
---
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: {name: stock, namespace: shop}
spec:
  parentRefs: [{group: "", kind: Service, name: stock, port: 80}]
  rules:
  - matches: [{path: {type: PathPrefix, value: /}}]
    timeouts: {request: 2s, backendRequest: 1s}
    filters:
    - type: RequestHeaderModifier
      requestHeaderModifier: {set: [{name: x-a, value: b}]}
    - type: URLRewrite
      urlRewrite:
        hostname: elsewhere
    backendRefs:
    - {name: stock, port: 80, weight: 0}
    - {name: stock, port: 80, weight: 1}
---
apiVersion: v1
kind: Service
metadata: {name: stock, namespace: shop}
spec: {ports: [{port: 80, name: http}]}
`;

function lineOf(text: string): number {
  return POLICY.slice(0, POLICY.indexOf(text)).split("\n").length;
}

function explained(url: string, { text = POLICY, client = CLIENT, headers = {} } = {}) {
  const workload = {
    ...{
      name: "one",
      namespace: "shop",
      service: "reviews",
      address: "10.0.0.1",
      ports: [{ number: 3000, name: "http" }],
    },
    ...{ labels: {}, weight: 1, healthy: true },
  };
  const snapshot = compile({
    resources: resourcesIn(text, "mesh.yaml"),
    workloads: [workload],
    client,
    problems: [],
    version: 1,
  });
  return explain(snapshot, { url, headers });
}

function originsOf(...args: Parameters<typeof explained>): [part: string, path: string, line: number][] {
  return explained(...args).origins.map(({ part, path, line }) => [part, path, line]);
}

it("names the field of each part: the delegate's, what it leaves out the root's, and each DestinationRule's", () => {
  expect(originsOf("http://reviews/given", { headers: { origin: "https://a" } })).toEqual([
    ["fault", "spec.http[0].fault", lineOf("fault: {delay")],
    ["timeoutMs", "spec.http[2].timeout", lineOf("timeout: 3s")],
    ["retries", "spec.http[0].retries", lineOf("retries: {attempts: 1")],
    ["request.path", "spec.http[0].rewrite.uri", lineOf("uri: /new")],
    ["request.authority", "spec.http[0].rewrite.authority", lineOf("authority: other")],
    ["responseHeaders", "spec.http[0].route[1].headers.response", lineOf("headers: {response: {set: {x-a")],
    ["responseHeaders", "spec.http[2].corsPolicy", lineOf("corsPolicy")],
    ["mirrors[0]", "spec.http[0].mirrors[0]", lineOf("- {destination: {host: reviews.shop.svc.cluster.local}}")],
    ["destinations[0]", "spec.http[0].route[1]", lineOf("- destination: {host: reviews.shop")],
    ["destinations[0].subset", "spec.subsets[0]", lineOf("- name: v2")],
    // The port's entry inherits nothing from the level above it; the subset adds its own.
    [
      "destinations[0].loadBalancer",
      "spec.trafficPolicy.portLevelSettings[0].loadBalancer",
      lineOf("loadBalancer: {simple: ROUND"),
    ],
    ["destinations[0].outlierDetection", "spec.subsets[0].trafficPolicy.outlierDetection", lineOf("outlierDetection")],
  ]);
});

it("names header operations that give the authority, and nothing where a default speaks", () => {
  expect(originsOf("http://reviews/host").slice(0, 2)).toEqual([
    ["request.authority", "spec.http[3].headers.request.set", lineOf("set: {Host")],
    ["request.headers", "spec.http[3].headers.request", lineOf("request:\n        set: {Host")],
  ]);
  const { origins } = explained("http://reviews/only");
  expect(origins.find(({ part }) => part === "retries")).toEqual(
    { part: "retries", resource: null, path: "", file: "", line: 0, column: 0 }, // Istio's default
  );
  expect(origins.some(({ part }) => part === "timeoutMs")).toBe(false);
});

it("names the mesh's default retries", () => {
  const mesh = `---
apiVersion: mesh.istio.io/v1alpha1
kind: MeshConfig
metadata: {name: mesh, namespace: istio-system}
defaultHttpRetryPolicy: {attempts: 5}
`;
  const { retries, origins } = explained("http://reviews/only", { text: POLICY + mesh });
  expect(retries?.attempts).toBe(5);
  expect(origins.find(({ part }) => part === "retries")).toMatchObject({
    resource: "MeshConfig/istio-system/mesh",
    path: "defaultHttpRetryPolicy",
    line: (POLICY + mesh).slice(0, (POLICY + mesh).indexOf("defaultHttp")).split("\n").length,
  });
});

it("names filters of HTTPRoutes, and backends as they are counted there", () => {
  expect(originsOf("http://stock/")).toEqual([
    ["request.headers", "spec.rules[0].filters[0].requestHeaderModifier", lineOf("requestHeaderModifier: {")],
    ["request.authority", "spec.rules[0].filters[1].urlRewrite.hostname", lineOf("hostname: elsewhere")],
    ["timeoutMs", "spec.rules[0].timeouts.request", lineOf("timeouts: {")],
    ["retries", "spec.rules[0].timeouts.backendRequest", lineOf("timeouts: {")],
    ["destinations[0]", "spec.rules[0].backendRefs[1]", lineOf("- {name: stock, port: 80, weight: 1}")],
  ]);
});

it("tells why each rule before was passed by, those for other callers and ports included", () => {
  const { passedBy, steps } = explained("http://reviews/only");
  expect(passedBy.map(({ path, line, reasons }) => [path, line, reasons.join()])).toEqual([
    ["spec.http[0].match[0]", lineOf("- match: [{uri: {prefix: /admin}"), "it is for port 8080"],
    ["spec.http[1].match[0]", lineOf("- {sourceLabels"), "it is for callers with labels app=jobs"],
    [
      "spec.http[1].match[1]",
      lineOf("- {sourceNamespace"),
      "it is for callers of namespace billing, this one is of shop",
    ],
    ["spec.http[1].match[2]", lineOf("- {gateways"), "it is for gateways edge, not for the mesh"],
    ["spec.http[1].match[3]", lineOf("- {headers"), 'header x-user is missing, wanted: header x-user exact "ann"'],
    ["spec.http[0]", lineOf("- fault"), 'path is "/only", wanted: path prefix "/given"'],
    [
      "spec.http[3].match[0]",
      lineOf("- match: [{uri: {prefix: /host}"),
      'path is "/only", wanted: path prefix "/host"',
    ],
  ]);
  expect(steps[1]).toMatch(
    /^spec\.http\[0\]\.match\[0\] of VirtualService\/shop\/root, mesh\.yaml:7:\d+, does not match: it is for port 8080$/,
  );
});

it("tells of rules that are all for others, where the service's default route answers", () => {
  const text = POLICY.slice(0, POLICY.indexOf("  - match: [{uri: {prefix: /given}}]")).replace(
    / {4}- \{headers.*\n/,
    "",
  );
  const { outcome, route, passedBy } = explained("http://reviews/", { text });
  expect({ outcome, resource: route?.resource, passed: passedBy.length }).toEqual({
    outcome: "route",
    resource: null,
    passed: 4,
  });
});
