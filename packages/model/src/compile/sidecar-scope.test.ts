import { describe, expect, it } from "vitest";
import { lease, meshConfig, resource, route, snapshotOf, virtualService } from "./fixture.test.helper.js";

describe("compile, Sidecar", () => {
  const workloads = [lease("reviews"), lease("stock"), lease("back/ratings")];
  const sidecar = (name: string, spec: string) => resource("Sidecar", name, spec);
  const seen = (...resources: ReturnType<typeof sidecar>[]) =>
    [...snapshotOf(resources, workloads).services.keys()].map((host) => host.split(".")[0]).sort();

  it.each([
    ['["*/*"]', "ratings,reviews,stock"],
    ['["./*"]', "reviews,stock"],
    ['["back/*"]', "ratings"],
    ['["./reviews.shop.svc.cluster.local"]', "reviews"],
    ['["*/*", "~./*"]', "ratings"],
    ['["~*/*"]', ""],
  ])("hosts %s import %s", (hosts, services) => {
    expect(seen(sidecar("a", `{egress: [{hosts: ${hosts}}]}`)).join()).toBe(services);
  });

  it("imports what imported rules send to", () => {
    const rules = virtualService("vs", "reviews", route("ratings.back.svc.cluster.local"));
    expect(seen(sidecar("a", '{egress: [{hosts: ["./reviews.shop.svc.cluster.local"]}]}'), rules)).toEqual([
      "ratings",
      "reviews",
    ]);
  });

  it("applies one: of the workload, else of the namespace, else the root's", () => {
    const hosts = (name: string) => `egress: [{hosts: ["*/${name}.shop.svc.cluster.local"]}]`;
    const picked = sidecar("z", `{workloadSelector: {labels: {app: web}}, ${hosts("reviews")}}`);
    const other = sidecar("y", `{workloadSelector: {labels: {app: other}}, ${hosts("none")}}`);
    const own = sidecar("x", `{${hosts("stock")}}`);
    const root = sidecar("istio-system/w", '{egress: [{hosts: ["back/*"]}]}');
    expect(seen(picked, other, own, root)).toEqual(["reviews"]);
    expect(seen(other, own, root)).toEqual(["stock"]);
    expect(seen(other, root)).toEqual(["ratings"]);
  });

  describe("with ports", () => {
    const scoped = (egress: string, ...more: ReturnType<typeof sidecar>[]) =>
      snapshotOf([sidecar("a", `{egress: [${egress}]}`), ...more], workloads);
    const known = (snapshot: ReturnType<typeof scoped>, host: string, port: number) =>
      snapshot.routes.lookup(host, port) !== undefined;
    const there = (snapshot: ReturnType<typeof scoped>, port: number, host: string) =>
      snapshot.cluster(`outbound|${port}||${host}.svc.cluster.local`) !== undefined;
    const of = (port: number, hosts: string, protocol = "HTTP") =>
      `{port: {number: ${port}, protocol: ${protocol}, name: p}, hosts: [${hosts}]}`;
    const reviews = "./reviews.shop.svc.cluster.local";

    it("leaves a port to its own listener, and the others to the one without", () => {
      const snapshot = scoped(`${of(80, reviews)}, {hosts: ["*/*"]}`);
      expect([known(snapshot, "reviews", 80), known(snapshot, "reviews", 3000)]).toEqual([true, true]);
      expect([known(snapshot, "stock", 80), known(snapshot, "stock", 3000)]).toEqual([false, true]);
      expect([there(snapshot, 80, "stock.shop"), there(snapshot, 3000, "stock.shop")]).toEqual([true, true]);
    });

    it("knows no other port where every listener has one", () => {
      const snapshot = scoped(of(80, reviews));
      expect([known(snapshot, "reviews", 80), known(snapshot, "reviews", 3000)]).toEqual([true, false]);
      expect([there(snapshot, 80, "reviews.shop"), there(snapshot, 3000, "reviews.shop")]).toEqual([true, false]);
      expect(snapshot.services.has("stock.shop.svc.cluster.local")).toBe(false);
    });

    it("takes a proxy's port for none", () => {
      const snapshot = scoped(of(3128, reviews, "HTTP_PROXY"));
      expect([known(snapshot, "reviews", 80), known(snapshot, "stock", 80)]).toEqual([true, false]);
    });

    it("excludes per listener", () => {
      const snapshot = scoped(`${of(80, `"./*", "~${reviews}"`)}, {hosts: ["./*"]}`);
      expect([known(snapshot, "reviews", 80), known(snapshot, "stock", 80)]).toEqual([false, true]);
      expect([known(snapshot, "reviews", 3000), known(snapshot, "stock", 3000)]).toEqual([true, true]);
    });

    it("applies a VirtualService at the ports whose listener sees it", () => {
      const theirs = virtualService("back/vs", "reviews.shop.svc.cluster.local", "{directResponse: {status: 201}}");
      const snapshot = scoped(`${of(80, reviews)}, {hosts: ["*/*"]}`, theirs);
      expect(snapshot.routes.lookup("reviews", 80)?.resource).toBeNull();
      expect(snapshot.routes.lookup("reviews", 3000)?.resource?.name).toBe("vs");
    });

    it("lets rules send where calls may not go, to the port they name", () => {
      const to = "{route: [{destination: {host: ratings.back.svc.cluster.local, port: {number: 3000}}}]}";
      const snapshot = scoped(`{hosts: [${reviews}]}`, virtualService("vs", "reviews", to));
      expect(known(snapshot, "ratings.back", 3000)).toBe(false);
      expect([there(snapshot, 3000, "ratings.back"), there(snapshot, 80, "ratings.back")]).toEqual([true, false]);
    });

    describe.each([
      ["calls and rules alike", of(80, '"./*", "back/*"')],
      ["rules where calls may not go", of(80, reviews)],
    ])("lets %s through to the port of their listener alone", (_, egress) => {
      const to = (port: number) =>
        `{route: [{destination: {host: ratings.back.svc.cluster.local, port: {number: ${port}}}}]}`;

      it.each([
        [80, true],
        [3000, false],
      ])("%d: %s", (port, isThere) => {
        const snapshot = scoped(egress, virtualService("vs", "reviews", to(port)));
        expect(there(snapshot, port, "ratings.back")).toBe(isThere);
      });
    });

    it("lets a rule through to any port where a listener without one lets it through, too", () => {
      const to = "{route: [{destination: {host: ratings.back.svc.cluster.local, port: {number: 3000}}}]}";
      const rules = virtualService("vs", "reviews", to);
      expect(
        there(scoped(`${of(80, reviews)}, {hosts: [./stock.shop.svc.cluster.local]}`, rules), 3000, "ratings.back"),
      ).toBe(false);
      expect(there(scoped(`${of(80, reviews)}, {hosts: [${reviews}]}`, rules), 3000, "ratings.back")).toBe(true);
    });
  });

  it("imports what delegates of imported rules send to", () => {
    const root = virtualService("vs", "reviews", "{match: [{uri: {prefix: /a}}], delegate: {name: part}}");
    const part = resource("VirtualService", "part", `{http: [${route("ratings.back.svc.cluster.local")}]}`);
    expect(seen(sidecar("a", '{egress: [{hosts: ["./reviews.shop.svc.cluster.local"]}]}'), root, part)).toEqual([
      "ratings",
      "reviews",
    ]);
  });

  // As istiod 1.26 has it: rules that name other namespaces, and not the client's, bring nothing along.
  it.each([
    ["{uri: {exact: /a}}, {sourceNamespace: back}", "reviews"],
    ["{sourceNamespace: back}, {uri: {exact: /a}}", "reviews"],
    ["{sourceNamespace: back}, {sourceNamespace: shop}", "ratings,reviews"],
    ["{uri: {exact: /a}}", "ratings,reviews"],
  ])("of a rule for %s imports %s", (match, services) => {
    const to = "route: [{destination: {host: ratings.back.svc.cluster.local}}]";
    const rules = virtualService("vs", "reviews", `{match: [${match}], ${to}}`);
    expect(seen(sidecar("a", '{egress: [{hosts: ["./reviews.shop.svc.cluster.local"]}]}'), rules).join()).toBe(
      services,
    );
  });

  it("imports nothing with a sole ~/*, and everything without egress", () => {
    expect(seen(sidecar("a", '{egress: [{hosts: ["~/*"]}]}'))).toEqual([]);
    expect(seen(sidecar("a", "{outboundTrafficPolicy: {mode: ALLOW_ANY}}")).length).toBe(3);
  });

  it("of the root counts only without a selector", () => {
    const root = sidecar("istio-system/w", '{workloadSelector: {labels: {app: web}}, egress: [{hosts: ["back/*"]}]}');
    expect(seen(root).length).toBe(3);
  });

  it("decides what becomes of unknown hosts", () => {
    const policy = (spec: string) => snapshotOf([sidecar("a", spec)]).mesh.outboundPolicy;
    expect(snapshotOf([]).mesh.outboundPolicy).toBe("ALLOW_ANY");
    expect(policy("{outboundTrafficPolicy: {mode: REGISTRY_ONLY}}")).toBe("REGISTRY_ONLY");
    expect(policy("{outboundTrafficPolicy: {}}")).toBe("REGISTRY_ONLY"); // the protobuf's zero value
    expect(policy('{egress: [{hosts: ["*/*"]}]}')).toBe("ALLOW_ANY");
  });

  it.each([
    ["{}", "ALLOW_ANY"],
    ["{outboundTrafficPolicy: {}}", "REGISTRY_ONLY"],
    ["{outboundTrafficPolicy: {mode: REGISTRY_ONLY}}", "REGISTRY_ONLY"],
    ["{outboundTrafficPolicy: {mode: ALLOW_ANY}}", "ALLOW_ANY"],
    ["{outboundTrafficPolicy: {mode: ALLOW_ANY_DYNAMIC_DNS}}", "ALLOW_ANY"],
  ])("of the mesh %s means %s, and a Sidecar without one inherits it", (spec, outboundPolicy) => {
    const all = sidecar("a", '{egress: [{hosts: ["*/*"]}]}');
    expect(snapshotOf([meshConfig(spec)]).mesh.outboundPolicy).toBe(outboundPolicy);
    expect(snapshotOf([meshConfig(spec), all]).mesh.outboundPolicy).toBe(outboundPolicy);
    const own = sidecar("a", "{outboundTrafficPolicy: {mode: ALLOW_ANY}}");
    expect(snapshotOf([meshConfig(spec), own]).mesh.outboundPolicy).toBe("ALLOW_ANY");
  });
});
