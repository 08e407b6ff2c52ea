/** What explain says of routes of Gateway API, in words. */

import { type ClientContext, compile } from "@inmesh/model";
import { describe, expect, it } from "vitest";
import { resourcesIn } from "../testing/policy-resources.test.helper.js";
import { explain } from "./explain.js";
import type { ExplainRequest } from "./explanation.js";

const CLIENT: ClientContext = { namespace: "shop", service: "web", labels: {} };

const POLICY = `apiVersion: v1
kind: Service
metadata: {name: reviews, namespace: shop}
spec: {ports: [{name: grpc, port: 80}]}
---
apiVersion: gateway.networking.k8s.io/v1
kind: GRPCRoute
metadata: {name: reviews, namespace: shop}
spec:
  parentRefs: [{group: "", kind: Service, name: reviews}]
  rules:
  - name: reads
    matches:
    - method: {service: shop.Reviews, method: Get}
    - method: {type: RegularExpression, service: "shop[.].*", method: "List|Watch"}
      headers: [{name: x-user, value: ann}]
    filters: [{type: RequestHeaderModifier, requestHeaderModifier: {set: [{name: x-by, value: mesh}]}}]
    backendRefs: [{name: reviews, port: 80}]
  - matches: [{method: {service: shop.Gone}}]
    backendRefs: [{name: gone, port: 80}]
---
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: {name: reviews, namespace: shop}
spec:
  parentRefs: [{group: "", kind: Service, name: reviews}]
  rules:
  - matches: [{path: {value: /web}}]
    filters:
    - {type: ResponseHeaderModifier, responseHeaderModifier: {remove: [server]}}
    - {type: CORS, cors: {allowOrigins: ["https://a.example"]}}
    backendRefs: [{name: reviews, port: 80}]
`;

const resources = resourcesIn(POLICY, "mesh.yaml");
const snapshot = compile({ resources, workloads: [], client: CLIENT, problems: [], version: 1 });
const ask = (path: string, more: ExplainRequest = {}) =>
  explain(snapshot, { method: "POST", url: `http://reviews${path}`, ...more });

describe("explain, with routes of Gateway API", () => {
  it("names the rule that a gRPC method meets, and why others do not", () => {
    const found = ask("/shop.Reviews/List", { headers: { "x-user": "ann" } });
    expect(found.route).toMatchObject({
      name: "reads",
      resource: "GRPCRoute/shop/reviews",
      path: "spec.rules[0].matches[1]",
      file: "mesh.yaml",
      line: 15,
    });
    expect(found.request.headers).toMatchObject({ "x-by": "mesh" });
    expect(found.destinations.map(({ cluster }) => cluster)).toEqual(["outbound|80||reviews.shop.svc.cluster.local"]);
    expect(found.steps.slice(0, 3)).toEqual([
      "reviews, port 80, is reviews.shop.svc.cluster.local:80: rules of GRPCRoute/shop/reviews and HTTPRoute/shop/reviews",
      '"reads" (spec.rules[0].matches[0]) of GRPCRoute/shop/reviews, mesh.yaml:14:7, does not match: path is "/shop.Reviews/List", wanted: gRPC service shop.Reviews, method Get',
      '"reads" (spec.rules[0].matches[1]) of GRPCRoute/shop/reviews, mesh.yaml:15:7, matches: gRPC service matching "shop[.].*", method matching "List|Watch", header x-user exact "ann"',
    ]);
  });

  it("tells of no rule for a method, and of a backend that is not there", () => {
    expect(ask("/shop.Reviews/Put")).toMatchObject({ outcome: "notFound", status: 404 });
    expect(ask("/shop.Gone/Get")).toMatchObject({ outcome: "noDestination", status: 503 });
  });

  it("calls what answers a preflight by its field", () => {
    const headers = { origin: "https://a.example", "access-control-request-method": "GET" };
    expect(ask("/web", { method: "OPTIONS", headers }).steps.at(-1)).toBe(
      "filters[1].cors answers the preflight itself",
    );
  });
});
