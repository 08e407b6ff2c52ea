import { describe, expect, it } from "vitest";
import { lease, read, request, resource, route, sent, snapshotOf, virtualService } from "./fixture.test.helper.js";

const REVIEWS = "reviews.shop.svc.cluster.local";
const OUT = `outbound|80||${REVIEWS}`;
const subsets = (host = "reviews", name = "reviews", more = "") =>
  resource(
    "DestinationRule",
    name,
    `{host: ${host}, subsets: [{name: v1, labels: {version: v1}}, {name: v2, labels: {version: v2}}]${more}}`,
  );

describe("compile, which VirtualService", () => {
  const stock = [lease("stock"), lease("reviews"), lease("back/ratings")];
  const to = (host: string) => route(host);

  it("sends by subset and weight, and nowhere when nothing matches", () => {
    const rule =
      "{match: [{uri: {prefix: /a}}], route: [{destination: {host: reviews, subset: v1}, weight: 0}, {destination: {host: reviews, subset: v2}, weight: 7}]}";
    const snapshot = snapshotOf([virtualService("vs", "reviews", rule), subsets()], stock);
    expect(sent(snapshot, "reviews", 80, "/a")).toBe(`outbound|80|v2|${REVIEWS}`);
    expect(sent(snapshot, "reviews", 80, "/b")).toBe("404");
  });

  it("prefers the exact host, then the longest wildcard, then the older; all rules of one object", () => {
    const wide = virtualService("wide", "*.cluster.local", to("stock"));
    const narrow = virtualService("narrow", "*.shop.svc.cluster.local", "{directResponse: {status: 201}}");
    const late = virtualService("b", "reviews", "{directResponse: {status: 202}}");
    const early = virtualService(
      "c",
      REVIEWS,
      "{directResponse: {status: 203}}",
      "",
      "creationTimestamp: '2020-01-01T00:00:00Z'",
    );
    expect(sent(snapshotOf([wide, narrow, late, early], stock), "reviews")).toBe("directResponse 203");
    expect(sent(snapshotOf([wide, narrow, late], stock), "reviews")).toBe("directResponse 202");
    expect(sent(snapshotOf([wide, narrow], stock), "reviews")).toBe("directResponse 201");
    expect(sent(snapshotOf([wide], stock), "ratings.back")).toBe("outbound|80||stock.shop.svc.cluster.local");
  });

  it("asks the next that names the host where none of the rules before is for this caller, and no wildcard", () => {
    const named = (name: string, port: number, status: number) =>
      virtualService(name, "reviews", `{match: [{port: ${port}}], directResponse: {status: ${status}}}`);
    const wide = virtualService("wide", "*.shop.svc.cluster.local", "{directResponse: {status: 204}}");
    expect(sent(snapshotOf([named("a", 81, 201), named("b", 80, 202), named("c", 80, 203)], stock), "reviews")).toBe(
      "directResponse 202",
    );
    expect(sent(snapshotOf([named("a", 81, 201), wide], stock), "reviews")).toBe(OUT);
    const host = snapshotOf([named("a", 81, 201), named("b", 80, 202)], stock).routes.lookup("reviews", 80);
    expect(host?.forOthers?.map(({ resource, before }) => [resource.name, before])).toEqual([["a", 0]]);
  });

  it("follows edits of rules, hosts and visibility, however many there were", () => {
    const edited = (name: string, host: string, status: number, more = "") =>
      virtualService(name, host, `{directResponse: {status: ${status}}}`, more);
    let documents = [
      edited("a", "reviews", 200),
      edited("b", "stock", 200),
      edited("c", "*.shop.svc.cluster.local", 200),
    ];
    let snapshot = snapshotOf(documents, stock);
    const [reviews, other] = ["reviews", "ratings.back"];
    for (let turn = 1; turn <= 100; turn++) {
      const [name, host] = [["a", reviews] as const, ["b", "stock"] as const, ["c", "*.cluster.local"] as const][
        turn % 3
      ]!;
      const named = turn % 10 === 0 ? "elsewhere" : host;
      const made = edited(name, named, 200 + turn, turn % 7 === 0 ? ", exportTo: [elsewhere]" : "");
      documents = documents.map((document) => (document.name === name ? made : document));
      snapshot = snapshotOf(documents, stock, {}, snapshot);
      const fresh = snapshotOf(documents, stock);
      for (const each of [reviews, "stock", other, "elsewhere"]) {
        expect([turn, each, sent(snapshot, each)]).toEqual([turn, each, sent(fresh, each)]);
      }
    }
  });

  it("means services by a wildcard that covers one, and other names only where it covers none", () => {
    const wide = virtualService("wide", "*.example.com", "{directResponse: {status: 201}}");
    const entry = resource(
      "ServiceEntry",
      "api",
      "{hosts: [api.example.com], ports: [{number: 80, name: http, protocol: HTTP}], resolution: STATIC}",
    );
    const found = (all: Parameters<typeof snapshotOf>[0]) =>
      ["api", "web"].map((name) => sent(snapshotOf(all, stock), `${name}.example.com`));
    expect(found([wide])).toEqual(["directResponse 201", "directResponse 201"]);
    expect(found([wide, entry])).toEqual(["directResponse 201", "unknown"]);
  });

  it.each([
    ["[.]", "back", "default"],
    ["[shop]", "back", "seen"],
    ['["*"]', "back", "seen"],
    ["[.]", "shop", "seen"],
    ["[other]", "shop", "default"],
  ])("exportTo %s of namespace %s: %s", (exportTo, namespace, expected) => {
    const rules = virtualService(
      `${namespace}/vs`,
      REVIEWS,
      "{directResponse: {status: 200}}",
      `, exportTo: ${exportTo}`,
    );
    const found = sent(snapshotOf([rules], stock), "reviews");
    expect(found).toBe(expected === "seen" ? "directResponse 200" : OUT);
  });

  it("takes the mesh's default visibility where none is written", () => {
    const config = read("defaultVirtualServiceExportTo: [.]\napiVersion: mesh.istio.io/v1alpha1\nkind: MeshConfig");
    const rules = virtualService("back/vs", REVIEWS, "{directResponse: {status: 200}}");
    expect(sent(snapshotOf([rules], stock), "reviews")).toBe("directResponse 200");
    expect(sent(snapshotOf([rules, ...config], stock), "reviews")).toBe(OUT);
  });

  it("prefers what is private to the client over what is exported to it, and that over the public", () => {
    const at = (name: string, exportTo: string, status: number) =>
      virtualService(name, REVIEWS, `{directResponse: {status: ${status}}}`, `, exportTo: ${exportTo}`);
    const open = at("a", '["*"]', 201);
    const named = at("back/b", "[shop]", 202);
    const own = at("c", "[.]", 203);
    expect(sent(snapshotOf([open, named, own], stock), "reviews")).toBe("directResponse 203");
    expect(sent(snapshotOf([open, named], stock), "reviews")).toBe("directResponse 202");
  });

  it.each([
    ["sourceLabels: {app: web}", "directResponse 200"],
    ["sourceLabels: {app: other}", OUT],
    ["sourceNamespace: shop", "directResponse 200"],
    ["sourceNamespace: back", OUT],
    ["port: 80", "directResponse 200"],
    ["port: 81", OUT],
    ["gateways: [edge]", OUT],
    ["gateways: [mesh], sourceNamespace: back", "directResponse 200"], // Istio's quirk: gateways silence the source
  ])("a match of %s gives %s", (condition, expected) => {
    const rules = virtualService("vs", "reviews", `{match: [{${condition}}], directResponse: {status: 200}}`);
    expect(sent(snapshotOf([rules], stock), "reviews")).toBe(expected);
  });

  it("ignores objects for gateways only", () => {
    const rules = virtualService("vs", "reviews", "{directResponse: {status: 200}}", ", gateways: [edge]");
    expect(sent(snapshotOf([rules], stock), "reviews")).toBe(OUT);
  });

  it("knows a host that only a VirtualService names, by its short form too", () => {
    const snapshot = snapshotOf([virtualService("vs", "virtual", to("stock"))], stock);
    const cluster = "outbound|80||stock.shop.svc.cluster.local";
    expect([sent(snapshot, "virtual"), sent(snapshot, "virtual.shop", 8080)]).toEqual([cluster, cluster]);
    expect(snapshot.cluster("outbound|80||nobody.shop.svc.cluster.local")).toBeUndefined();
  });

  it("chooses the port: named, the only one, the one addressed", () => {
    const ports = "ports: [{number: 80, name: a, protocol: HTTP}, {number: 81, name: b, protocol: HTTP}]";
    const two = resource("ServiceEntry", "two", `{hosts: [two.example], ${ports}, resolution: STATIC}`);
    const only = resource(
      "ServiceEntry",
      "one",
      "{hosts: [one.example], ports: [{number: 7, name: a, protocol: HTTP}], resolution: STATIC}",
    );
    const rules = virtualService(
      "vs",
      "two.example",
      `{match: [{uri: {prefix: /one}}], ${to("one.example").slice(1)}, {match: [{uri: {prefix: /named}}], route: [{destination: {host: two.example, port: {number: 80}}}]}, ${to("two.example")}`,
    );
    const snapshot = snapshotOf([two, only, rules]);
    expect(["/one", "/named", "/"].map((path) => sent(snapshot, "two.example", 81, path))).toEqual([
      "outbound|7||one.example",
      "outbound|80||two.example",
      "outbound|81||two.example",
    ]);
  });

  it("names the rule, the alternative and its place", () => {
    const rules = virtualService(
      "vs",
      "reviews",
      "{name: r, match: [{uri: {exact: /a}}, {name: m, uri: {exact: /b}}], directResponse: {status: 200}}",
    );
    const found = snapshotOf([rules], stock).routes.lookup("reviews", 80)?.find(request("/b"));
    expect(found).toMatchObject({ name: "r.m", path: "spec.http[0].match[1]", resource: { name: "vs" } });
  });
});
