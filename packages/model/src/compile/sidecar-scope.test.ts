import { describe, expect, it } from "vitest";
import { lease, resource, route, snapshotOf, virtualService } from "./fixture.test.helper.js";

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

  it("decides what becomes of unknown hosts", () => {
    const policy = (spec: string) => snapshotOf([sidecar("a", spec)]).mesh.outboundPolicy;
    expect(snapshotOf([]).mesh.outboundPolicy).toBe("ALLOW_ANY");
    expect(policy("{outboundTrafficPolicy: {mode: REGISTRY_ONLY}}")).toBe("REGISTRY_ONLY");
  });
});
