import { type Document, documentFromValue } from "@inmesh/model";
import { describe, expect, it } from "vitest";
import { declaredBy, destinationsOf, onlyServiceOf } from "./policy-place.js";

const VERSIONS: Readonly<Record<string, string>> = {
  VirtualService: "networking.istio.io/v1",
  DestinationRule: "networking.istio.io/v1",
  ServiceEntry: "networking.istio.io/v1",
  Sidecar: "networking.istio.io/v1",
  AuthorizationPolicy: "security.istio.io/v1",
  HTTPRoute: "gateway.networking.k8s.io/v1",
  GRPCRoute: "gateway.networking.k8s.io/v1",
  Service: "v1",
};

function document(kind: string, spec: object, name = "r"): Document {
  const apiVersion = VERSIONS[kind] ?? "inmesh.dev/v1alpha1";
  const value = { apiVersion, kind, metadata: { name, namespace: "shop" }, spec };
  return documentFromValue(value).documents[0] ?? expect.fail(`no ${kind}`);
}

const named = (service: string, namespace = "shop") => ({ namespace, service });
const FULL = "reviews.shop.svc.cluster.local";
const HOSTNAME = { group: "networking.istio.io", kind: "Hostname", name: "three.bank.svc.cluster.local" };
const parent = (more: object = {}) => ({ group: "", kind: "Service", name: "reviews", ...more });

describe("onlyServiceOf", () => {
  it.each<[string, object]>([
    ["VirtualService", { hosts: ["reviews"] }],
    ["VirtualService", { hosts: [FULL] }],
    ["VirtualService", { hosts: ["Reviews"] }],
    ["VirtualService", { hosts: ["Reviews.Shop.svc.Cluster.local"] }],
    ["VirtualService", { hosts: ["reviews"], gateways: [] }],
    ["VirtualService", { hosts: ["reviews"], gateways: ["mesh"] }],
    ["DestinationRule", { host: "reviews" }],
    ["CircuitBreaker", { host: "reviews" }],
    ["RateLimit", { host: "reviews" }],
    ["Resilience", { host: "reviews" }],
    ["HTTPRoute", { parentRefs: [parent()] }],
    ["HTTPRoute", { parentRefs: [parent({ namespace: "shop" })] }],
    ["GRPCRoute", { parentRefs: [parent()] }],
  ])("is the one host of its own namespace: %s %j", (kind, spec) => {
    expect(onlyServiceOf(document(kind, spec))).toEqual(named("reviews"));
  });

  it.each<[string, string, object]>([
    ["two hosts", "VirtualService", { hosts: ["reviews", "ratings"] }],
    ["no host", "VirtualService", { hosts: [] }],
    ["no hosts at all", "VirtualService", {}],
    ["hosts that are no list", "VirtualService", { hosts: "reviews" }],
    ["a host that is no text", "VirtualService", { hosts: [1] }],
    ["every host", "VirtualService", { hosts: ["*"] }],
    ["every service of the namespace", "VirtualService", { hosts: ["*.shop.svc.cluster.local"] }],
    ["every host, for a DestinationRule", "DestinationRule", { host: "*" }],
    ["a name with a dot, which is no short one", "VirtualService", { hosts: ["reviews.shop"] }],
    ["most of a full name", "VirtualService", { hosts: ["reviews.shop.svc"] }],
    ["a name below a service's", "VirtualService", { hosts: [`one.${FULL}`] }],
    ["a name with one label too many", "VirtualService", { hosts: ["reviews.shop.more.svc.cluster.local"] }],
    ["a host outside of the mesh", "VirtualService", { hosts: ["api.example.com"] }],
    ["an address", "VirtualService", { hosts: ["10.0.0.1"] }],
    ["what is no name of a service", "VirtualService", { hosts: ["re_views"] }],
    ["an empty name", "VirtualService", { hosts: [""] }],
    ["a service of another namespace", "VirtualService", { hosts: ["reviews.bank.svc.cluster.local"] }],
    ["the same, for a RateLimit", "RateLimit", { host: "reviews.bank.svc.cluster.local" }],
    ["a gateway", "VirtualService", { hosts: ["reviews"], gateways: ["public"] }],
    ["a gateway and the mesh", "VirtualService", { hosts: ["reviews"], gateways: ["mesh", "public"] }],
    ["no host, for a CircuitBreaker", "CircuitBreaker", {}],
    ["no parent", "HTTPRoute", { parentRefs: [] }],
    ["no parents at all", "HTTPRoute", {}],
    ["two parents", "HTTPRoute", { parentRefs: [parent(), parent({ name: "ratings" })] }],
    ["one parent at two ports", "HTTPRoute", { parentRefs: [parent({ port: 80 }), parent({ port: 81 })] }],
    ["a gateway as parent", "HTTPRoute", { parentRefs: [{ kind: "Gateway", name: "reviews" }] }],
    ["a parent without a kind, which is a gateway", "GRPCRoute", { parentRefs: [{ name: "reviews" }] }],
    ["a gateway beside a service", "HTTPRoute", { parentRefs: [parent(), { kind: "Gateway", name: "public" }] }],
    ["a parent in another namespace", "HTTPRoute", { parentRefs: [parent({ namespace: "bank" })] }],
    ["who may call whom", "AuthorizationPolicy", { selector: { matchLabels: { app: "reviews" } }, rules: [] }],
    ["who may call one target", "AuthorizationPolicy", { targetRefs: [parent()], host: "reviews", hosts: ["reviews"] }],
    ["what is declared", "ServiceEntry", { hosts: [FULL], ports: [] }],
    ["the service itself", "Service", { ports: [] }],
    ["what a workload sees", "Sidecar", { egress: [{ hosts: ["./reviews"] }] }],
  ])("is nobody: %s", (_, kind, spec) => {
    expect(onlyServiceOf(document(kind, spec))).toBeUndefined();
  });
});

describe("destinationsOf", () => {
  const to = (host: string) => ({ destination: { host } });

  it.each<[string, string, object, readonly { namespace: string; service: string }[]]>([
    [
      "destinations of every protocol, and not its own host",
      "VirtualService",
      {
        hosts: ["reviews"],
        http: [{ route: [to("reviews-v1"), { ...to("Ratings.bank.svc.cluster.local"), weight: 1 }] }],
        tcp: [{ route: [to("database")] }],
        tls: [{ route: [to("vault")] }],
      },
      [named("reviews-v1"), named("ratings", "bank"), named("database"), named("vault")],
    ],
    [
      "copies",
      "VirtualService",
      { hosts: ["reviews"], http: [{ mirror: { host: "shadow" }, mirrors: [to("shadow-2")] }] },
      [named("shadow"), named("shadow-2")],
    ],
    ["a stand-in", "CircuitBreaker", { host: "reviews", fallback: to("reviews-static") }, [named("reviews-static")]],
    [
      "who counts a shared limit",
      "RateLimit",
      { host: "reviews", service: { host: "limiter.infra.svc.cluster.local" } },
      [named("limiter", "infra")],
    ],
    [
      "backends, copies among them",
      "HTTPRoute",
      {
        parentRefs: [parent()],
        rules: [
          {
            backendRefs: [{ name: "one" }, { name: "two", namespace: "bank" }, HOSTNAME],
            filters: [{ type: "RequestMirror", requestMirror: { backendRef: { name: "shadow" } } }],
          },
        ],
      },
      [named("one"), named("two", "bank"), named("three", "bank"), named("shadow")],
    ],
    [
      "backends of gRPC",
      "GRPCRoute",
      { parentRefs: [parent()], rules: [{ backendRefs: [{ name: "one" }] }] },
      [named("one")],
    ],
    ["nowhere", "DestinationRule", { host: "reviews", subsets: [{ name: "v1" }] }, []],
    [
      "nowhere in the mesh",
      "VirtualService",
      { hosts: ["a"], http: [{ route: [to("api.example.com"), to("*")] }] },
      [],
    ],
    ["nowhere, being about callers", "AuthorizationPolicy", { rules: [{ to: [{ host: "reviews" }] }] }, []],
  ])("are %s", (_, kind, spec, services) => {
    const found = destinationsOf(document(kind, spec));
    expect(found).toHaveLength(services.length);
    expect(found).toEqual(expect.arrayContaining([...services]));
  });
});

describe("declaredBy", () => {
  it("is the name of a Service, and each host of a ServiceEntry that is a service's name", () => {
    expect(declaredBy(document("Service", { ports: [] }, "reviews"))).toEqual([named("reviews")]);
    const hosts = ["api.example.com", FULL, "ratings.bank.svc.cluster.local", "*.shop.svc.cluster.local"];
    expect(declaredBy(document("ServiceEntry", { hosts }))).toEqual([named("reviews"), named("ratings", "bank")]);
    expect(declaredBy(document("ServiceEntry", {}))).toEqual([]);
    expect(declaredBy(document("VirtualService", { hosts: ["reviews"] }))).toEqual([]);
  });
});
