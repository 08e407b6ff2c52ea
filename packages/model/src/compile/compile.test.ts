import { describe, expect, it } from "vitest";
import { parseDocuments } from "../document/parse-documents.js";
import type { Resource } from "../resource.js";
import type { MatchRequest } from "../snapshot/route.js";
import type { ClientContext } from "../snapshot/snapshot.js";
import type { Workload } from "../snapshot/workload.js";
import { type CompileInput, compile } from "./compile.js";

const CLIENT: ClientContext = { namespace: "shop", service: "web", labels: { app: "web" } };

function resourcesOf(yaml: string): Resource[] {
  return parseDocuments(yaml, { file: "policy.yaml", namespace: "shop" }).documents.map((document) => ({
    ...document,
    kind: document.kind as Resource["kind"],
    spec: document.kind === "MeshConfig" ? document.value : document.value["spec"],
    metadata: {
      name: document.name,
      namespace: document.namespace,
      labels: {},
      annotations: {},
      ...(document.value["metadata"] as object),
    },
  }));
}

function lease(service: string, port: number, labels: Record<string, string> = {}): Workload {
  return {
    name: `${service}-${port}`,
    namespace: "shop",
    service,
    address: "127.0.0.1",
    ports: [{ number: port, name: "http" }],
    labels,
    weight: 1,
    healthy: true,
  };
}

function input(part: Partial<CompileInput>): CompileInput {
  return { resources: [], workloads: [], client: CLIENT, problems: [], version: 1, ...part };
}

function get(path: string, headers: Record<string, string> = {}): MatchRequest {
  return { method: "GET", path, authority: "reviews", scheme: "http", header: (name) => headers[name] };
}

const CANARY = `
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: reviews, namespace: shop}
spec:
  hosts: [reviews]
  http:
  - match: [{headers: {x-user: {exact: ann}}}]
    route: [{destination: {host: reviews, subset: v2}}]
  - route:
    - {destination: {host: reviews, subset: v1}, weight: 90}
    - {destination: {host: reviews, subset: v2}, weight: 10}
---
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: {name: reviews, namespace: shop}
spec:
  host: reviews
  subsets: [{name: v1, labels: {version: v1}}, {name: v2, labels: {version: v2}}]
`;

describe("compile", () => {
  it("makes a service, its endpoints and a weighted route out of leases and policy", () => {
    const workloads = [lease("reviews", 3001, { version: "v1" }), lease("reviews", 3002, { version: "v2" })];
    const snapshot = compile(input({ resources: resourcesOf(CANARY), workloads }));
    const host = snapshot.routes.lookup("reviews", 80);
    expect(host?.name).toBe("reviews.shop.svc.cluster.local:80");
    const route = host?.find(get("/"));
    expect(route?.action).toMatchObject({ totalWeight: 100, destinations: [{ weight: 90 }, { weight: 10 }] });
    const cluster = snapshot.cluster("outbound|80|v2|reviews.shop.svc.cluster.local");
    expect(cluster && snapshot.endpoints(cluster).endpoints.map(({ id }) => id)).toEqual(["127.0.0.1:3002"]);
    expect(host?.find(get("/", { "x-user": "ann" }))?.path).toBe("spec.http[0].match[0]");
  });
});
