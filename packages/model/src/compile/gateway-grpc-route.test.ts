import { describe, expect, it } from "vitest";
import { CLIENT, request, resource, route, sent, snapshotOf, target, virtualService } from "./fixture.test.helper.js";

const SERVICES = ["reviews", "a", "b", "c"].map((name) =>
  resource("Service", name, "{ports: [{name: grpc, port: 80}, {name: admin, port: 8080}]}"),
);
const cluster = (host: string, port = 80) => `outbound|${port}||${host}.shop.svc.cluster.local`;

/** @param rules YAML in flow style @param parent more of the parentRef */
function grpcRoute(name: string, rules: string, parent = "", metadata = "", kind = "GRPCRoute") {
  const ref = `{group: "", kind: Service, name: reviews, namespace: shop${parent}}`;
  return resource(kind, name, `{parentRefs: [${ref}], rules: [${rules}]}`, metadata);
}

/** A rule of one match that goes to `backend`. */
const to = (backend: string, match = "", more = "") =>
  `{${match === "" ? "" : `matches: [{${match}}], `}${more}backendRefs: [{name: ${backend}, port: 80}]}`;
const method = (fields: string) => `method: {${fields}}`;
const ruleOf = (rule: string, path = "/s.A/M") =>
  snapshotOf([...SERVICES, grpcRoute("r", rule)])
    .routes.lookup("reviews", 80)
    ?.find(request(path));

describe("a match of a GRPCRoute", () => {
  const ALL = ["/s.A/M", "/s.A/M?q", "/s.A/N", "/s.AB/M", "/s.a/M", "/x/M", "/s.A/M/x", "/s.A", "/"];

  it.each([
    ["service: s.A, method: M", ["/s.A/M", "/s.A/M?q"]],
    ["service: s.A", ["/s.A/M", "/s.A/M?q", "/s.A/N", "/s.A/M/x"]],
    ["method: M", ["/s.A/M", "/s.A/M?q", "/s.AB/M", "/s.a/M", "/x/M"]],
    ['type: RegularExpression, service: "s.A|x", method: "M|N"', ["/s.A/M", "/s.A/M?q", "/s.A/N", "/x/M"]],
    ['type: RegularExpression, service: "s[.]A+"', ["/s.A/M", "/s.A/M?q", "/s.A/N", "/s.A/M/x"]],
    ['type: RegularExpression, method: "[MX]"', ["/s.A/M", "/s.A/M?q", "/s.AB/M", "/s.a/M", "/x/M"]],
    ["", ALL],
  ])("{%s} takes the paths of what it says, in this case only", (fields, expected) => {
    const match = fields === "" ? "" : method(fields);
    expect(ALL.filter((path) => ruleOf(to("a", match), path) !== undefined)).toEqual(expected);
  });

  it("says what it wants in the words of gRPC", () => {
    const [first] = snapshotOf([...SERVICES, grpcRoute("r", to("a", method("service: s.A, method: M")))])
      .routes.lookup("reviews", 80)!
      .routes.flatMap(({ matches }) => matches);
    expect(first?.text).toBe("gRPC service s.A, method M");
    expect(first?.whyNot(request("/s.A/N"))).toBe('path is "/s.A/N", wanted: gRPC service s.A, method M');
  });

  it("wants every header", () => {
    const rule = to("a", "headers: [{name: X-User, value: ann}, {type: RegularExpression, name: v, value: '[12]'}]");
    const find = (headers: Record<string, string>) =>
      snapshotOf([...SERVICES, grpcRoute("r", rule)])
        .routes.lookup("reviews", 80)
        ?.find(request("/s.A/M", { headers }));
    expect(target(find({ "x-user": "ann", v: "2" }))).toBe(cluster("a"));
    expect(find({ "x-user": "ann", v: "3" })).toBeUndefined();
  });
});

describe("GRPCRoutes of a Service", () => {
  it.each([
    ["a method of a service before the service", "service: s.A, method: M", "service: s.A"],
    ["a service before a method", "service: s.A", "method: M"],
    ["a method before an expression for methods", "method: M", "type: RegularExpression, method: M+"],
    [
      "an exact one before an expression",
      "service: s.A, method: M",
      "type: RegularExpression, service: s.A, method: M",
    ],
    ["an expression for services before a service", "type: RegularExpression, service: s.+", "service: s.A"],
    [
      "a longer expression",
      "type: RegularExpression, service: 's[.]A'",
      "type: RegularExpression, service: s.A, method: M",
    ],
  ])("prefer %s", (_, better, worse) => {
    const first = to("a", method(better));
    const second = to("b", method(worse));
    for (const rules of [`${first}, ${second}`, `${second}, ${first}`]) {
      expect(target(ruleOf(rules))).toBe(cluster("a"));
    }
  });

  it("prefer more headers, then the first; what takes everything comes last", () => {
    const plain = to("b", method("service: s.A, method: M"));
    const withHeader = to("a", `${method("service: s.A, method: M")}, headers: [{name: h, value: v}]`);
    const host = snapshotOf([...SERVICES, grpcRoute("r", `${to("c")}, ${plain}, ${withHeader}`)]).routes.lookup(
      "reviews",
      80,
    );
    expect(target(host?.find(request("/s.A/M", { headers: { h: "v" } })))).toBe(cluster("a"));
    expect(target(host?.find(request("/s.A/M")))).toBe(cluster("b"));
    expect(target(host?.find(request("/x/M")))).toBe(cluster("c"));
  });

  it("are one list with the HTTPRoutes of the host", () => {
    const at = (day: number) => `creationTimestamp: "2026-01-0${day}T00:00:00Z"`;
    const http = grpcRoute("h", to("a", "path: {value: /}"), "", at(1), "HTTPRoute");
    const grpc = grpcRoute("g", to("b", method("service: s.A")), "", at(2));
    const snapshot = snapshotOf([...SERVICES, http, grpc]);
    expect(sent(snapshot, "reviews", 80, "/s.A/M")).toBe(cluster("b"));
    expect(sent(snapshot, "reviews", 80, "/index.html")).toBe(cluster("a"));
    expect(snapshot.routes.lookup("reviews", 80)?.resource?.kind).toBe("HTTPRoute");
    const exact = grpcRoute("h", to("a", "path: {type: Exact, value: /s.A/M}"), "", at(3), "HTTPRoute");
    const same = grpcRoute("g", to("b", method("service: s.A, method: M")), "", at(2));
    expect(sent(snapshotOf([...SERVICES, exact, same]), "reviews", 80, "/s.A/M")).toBe(cluster("b"));
  });

  it.each([
    ["the older VirtualService", "shop/r", 2, "", "front", "c"],
    ["the older GRPCRoute", "shop/r", 0, "", "front", "a"],
    ["a GRPCRoute of the caller's own namespace", "shop/r", 2, "", "shop", "a"],
    ["a GRPCRoute of the caller for a foreign service", "front/r", 2, ', exportTo: ["."]', "front", "a"],
    ["a VirtualService that is the namespace's own", "shop/r", 0, ', exportTo: ["."]', "shop", "c"],
  ])("leave all of a host to one language: %s", (_, name, day, more, namespace, expected) => {
    const at = (time: number) => `creationTimestamp: "2026-01-0${time + 1}T00:00:00Z"`;
    const host = "reviews.shop.svc.cluster.local";
    const mine = grpcRoute(name, "{backendRefs: [{name: a, namespace: shop, port: 80}]}", "", at(day));
    const other = virtualService("vs", host, route("c.shop.svc.cluster.local"), more, at(1));
    const snapshot = snapshotOf([...SERVICES, mine, other], [], { client: { ...CLIENT, namespace } });
    expect(sent(snapshot, host)).toBe(cluster(expected));
  });

  it("are for the port that the parent names, by number or name", () => {
    for (const parent of [", port: 8080", ", sectionName: admin"]) {
      const snapshot = snapshotOf([...SERVICES, grpcRoute("r", to("a"), parent)]);
      expect([sent(snapshot, "reviews", 80), sent(snapshot, "reviews", 8080)]).toEqual([
        cluster("reviews"),
        cluster("a"),
      ]);
    }
  });

  it("without a rule change nothing; with rules that do not match they are a 404", () => {
    expect(sent(snapshotOf([...SERVICES, grpcRoute("r", "")]), "reviews")).toBe(cluster("reviews"));
    expect(sent(snapshotOf([...SERVICES, grpcRoute("r", to("a", method("service: s.A")))]), "reviews")).toBe("404");
  });

  it("come into force, change and go without a new process", () => {
    const before = snapshotOf(SERVICES);
    const during = snapshotOf([...SERVICES, grpcRoute("r", to("a"))], [], {}, before);
    const after = snapshotOf(SERVICES, [], {}, during);
    expect([before, during, after].map((snapshot) => sent(snapshot, "reviews"))).toEqual([
      cluster("reviews"),
      cluster("a"),
      cluster("reviews"),
    ]);
  });
});

describe("a rule of a GRPCRoute", () => {
  it("weighs its backends; without one, or without it being there, callers get 503", () => {
    const { action } = ruleOf("{backendRefs: [{name: a, port: 80, weight: 3}, {name: ghost, port: 80}]}")!; // matches all
    expect(action).toMatchObject({ kind: "forward", totalWeight: 4, missingStatus: 503 });
    expect(ruleOf("{backendRefs: [{name: a, port: 80, weight: 0}]}")?.action).toMatchObject({
      kind: "directResponse",
      status: 503,
    });
  });

  it("changes headers, and mirrors", () => {
    const filters = `filters: [
      {type: RequestHeaderModifier, requestHeaderModifier: {set: [{name: X-A, value: "1"}], remove: [C]}},
      {type: ResponseHeaderModifier, responseHeaderModifier: {add: [{name: x-b, value: "2"}]}},
      {type: RequestMirror, requestMirror: {backendRef: {name: b, port: 80}, percent: 5}}], `;
    expect(ruleOf(to("a", "", filters))).toMatchObject({
      resource: { kind: "GRPCRoute" },
      requestHeaders: { set: [["x-a", "1"]], remove: ["c"] },
      responseHeaders: { add: [["x-b", "2"]] },
      mirrors: [{ ratio: 0.05, destination: { cluster: cluster("b") }, field: "filters[2].requestMirror" }],
    });
  });
});
