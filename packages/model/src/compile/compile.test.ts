import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { describe, expect, it } from "vitest";
import { CLIENT, lease, request, resource, route, sent, snapshotOf, virtualService } from "./fixture.test.helper.js";

const REVIEWS = "reviews.shop.svc.cluster.local";
const OUT = `outbound|80||${REVIEWS}`;
const subsets = (host = "reviews", name = "reviews", more = "") =>
  resource(
    "DestinationRule",
    name,
    `{host: ${host}, subsets: [{name: v1, labels: {version: v1}}, {name: v2, labels: {version: v2}}]${more}}`,
  );

describe("compile, what it keeps", () => {
  const rules = virtualService("vs", "reviews", route("reviews", "v1"));
  const stockRules = virtualService("stock", "stock", route("stock"));
  const workloads = [lease("reviews", 3001, { labels: { version: "v1" } }), lease("stock", 4000), lease("web", 80)];
  const used = (snapshot: ReturnType<typeof snapshotOf>) => {
    const cluster = snapshot.cluster(`outbound|80|v1|${REVIEWS}`);
    return {
      host: snapshot.routes.lookup("reviews", 80),
      stock: snapshot.routes.lookup("stock", 80),
      cluster,
      set: cluster && snapshot.endpoints(cluster),
      services: snapshot.services,
    };
  };
  const resources = [rules, stockRules, subsets()];

  it("every object when nothing changed, the revision included", () => {
    const first = snapshotOf(resources, workloads);
    const before = used(first);
    const second = snapshotOf([...resources], [...workloads], { version: 2 }, first);
    const after = used(second);
    for (const key of ["host", "stock", "cluster", "set", "services"] as const) expect(after[key]).toBe(before[key]);
    expect([second.version, second.revision]).toEqual([2, first.revision]);
  });

  it("every rule and cluster when an endpoint comes, with the endpoints that stay", () => {
    const first = snapshotOf(resources, workloads);
    const before = used(first);
    const more = [...workloads, lease("reviews", 3002, { labels: { version: "v1" } })];
    const after = used(snapshotOf(resources, more, {}, first));
    for (const key of ["host", "stock", "cluster", "services"] as const) expect(after[key]).toBe(before[key]);
    expect(after.set?.endpoints.map(({ id }) => id)).toEqual(["10.0.0.1:3001", "10.0.0.1:3002"]);
    expect(after.set?.endpoints[0]).toBe(before.set?.endpoints[0]);
  });

  it("the set of a subset when the change is in another one, or says the same again", () => {
    const first = snapshotOf(resources, workloads);
    const before = used(first);
    const other = [...workloads, lease("reviews", 3002, { labels: { version: "v2" } })];
    const again = [{ ...workloads[0]! }, ...workloads.slice(1)]; // three of them
    expect(used(snapshotOf(resources, other, {}, first)).set).toBe(before.set);
    expect(used(snapshotOf(resources, again, {}, first)).set).toBe(before.set);
  });

  it("the other hosts when one VirtualService changes", () => {
    const first = snapshotOf(resources, workloads);
    const before = used(first);
    const changed = virtualService("vs", "reviews", `{timeout: 3s, ${route("reviews", "v1").slice(1)}`);
    const second = snapshotOf([changed, stockRules, resources[2]!], workloads, {}, first); // three of them
    const after = used(second);
    for (const key of ["stock", "cluster", "set", "services"] as const) expect(after[key]).toBe(before[key]);
    expect(after.host).not.toBe(before.host);
    expect(after.host?.find(request("/"))?.timeoutMs).toBe(3_000);
    expect(second.revision).not.toBe(first.revision);
    expect(first.routes.lookup("reviews", 80)).toBe(before.host);
  });

  it("nothing of a host whose delegate changes", () => {
    const root = virtualService("vs", "reviews", "{match: [{uri: {prefix: /}}], delegate: {name: leaf}}");
    const leaf = (status: number) =>
      resource("VirtualService", "leaf", `{http: [{directResponse: {status: ${status}}}]}`);
    const first = snapshotOf([root, stockRules, leaf(201)], workloads);
    const before = used(first);
    const second = snapshotOf([root, stockRules, leaf(202)], workloads, {}, first);
    expect(sent(second, "reviews")).toBe("directResponse 202");
    expect(used(second).stock).toBe(before.stock);
    expect(sent(snapshotOf([root, stockRules], workloads, {}, second), "reviews")).toBe(OUT);
  });

  it("a host over several snapshots in which nobody asked for it", () => {
    let snapshot = snapshotOf(resources, workloads);
    const before = used(snapshot);
    for (let turn = 0; turn < 30; turn++) {
      snapshot = snapshotOf(resources, [...workloads, lease("x", 5000 + turn)], {}, snapshot);
      if (turn % 3 === 0) snapshot.routes.lookup("web", 80);
    }
    expect(used(snapshot).host).toBe(before.host);
    expect(used(snapshot).set).toBe(before.set);
  });

  it("a cluster whose DestinationRule changes is made anew, with the same endpoint set", () => {
    const first = snapshotOf(resources, workloads);
    const before = used(first);
    const changed = subsets("reviews", "reviews", ", trafficPolicy: {loadBalancer: {simple: RANDOM}}");
    const after = used(snapshotOf([rules, stockRules, changed], workloads, {}, first));
    expect(after.cluster?.policy.loadBalancer).toBe("random");
    expect(after.set).toBe(before.set);
  });

  it("a service that leaves is unknown again, and known when it is back", () => {
    const first = snapshotOf([], workloads);
    expect(sent(first, "stock")).not.toBe("unknown");
    const second = snapshotOf([], [workloads[0]!], {}, first); // three of them
    expect(sent(second, "stock")).toBe("unknown");
    expect(sent(snapshotOf([], workloads, {}, second), "stock")).not.toBe("unknown");
  });

  it("the same revision whatever the order of the documents", () => {
    expect(snapshotOf([...resources].reverse()).revision).toBe(snapshotOf(resources).revision);
    const grown = snapshotOf(resources, [], {}, snapshotOf([rules]));
    expect(grown.revision).toBe(snapshotOf(resources).revision);
  });

  it("nothing for another client", () => {
    const first = snapshotOf(resources, workloads);
    const other = snapshotOf(resources, workloads, { client: { ...CLIENT, namespace: "back" } }, first);
    expect(sent(other, "reviews")).toBe("unknown");
    expect(sent(other, "reviews.shop")).not.toBe("unknown");
  });
});

describe("compile, what it lets go", () => {
  setFlagsFromString("--expose-gc");
  const collect: () => void = runInNewContext("gc");

  it("of 30 tables, each made after the one before, all but the last, whatever it took over", async () => {
    const kept = [virtualService("stock", "stock", route("stock")), subsets()];
    const workloads = [lease("reviews", 3001, { labels: { version: "v1" } }), lease("stock", 4000)];
    const made: WeakRef<object>[] = [];
    let snapshot: ReturnType<typeof snapshotOf> | undefined;
    for (let version = 1; version <= 30; version++) {
      const rules = virtualService("vs", "reviews", `{timeout: ${version}s, ${route("reviews", "v1").slice(1)}`);
      snapshot = snapshotOf([...kept, rules], workloads, { version }, snapshot);
      for (const host of ["reviews", "stock", "nowhere"]) snapshot.routes.lookup(host, 80);
      for (const name of [OUT, `outbound|80|v1|${REVIEWS}`]) snapshot.endpoints(snapshot.cluster(name)!); // a known host
      made.push(new WeakRef(snapshot.routes)); // holds the view, and what was taken over
      await new Promise((resolve) => setImmediate(resolve)); // a WeakRef holds until the turn ends
    }
    collect();
    expect(made.map((each) => each.deref()).filter((each) => each !== undefined)).toEqual([snapshot?.routes]);
  });
});
