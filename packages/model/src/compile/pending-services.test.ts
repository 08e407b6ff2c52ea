import { describe, expect, it } from "vitest";
import type { Snapshot } from "../snapshot/snapshot.js";
import type { KnownService, Workload } from "../snapshot/workload.js";
import { endpointsOf, lease, resource, route, sent, snapshotOf, virtualService } from "./fixture.test.helper.js";

const host = (name: string): string => `${name}.shop.svc.cluster.local`;
const out = (name: string, port = 80, subset = ""): string => `outbound|${port}|${subset}|${host(name)}`;

function known(name: string, loaded = false): KnownService {
  const [namespace = "", service = ""] = name.includes("/") ? name.split("/") : ["shop", name];
  return { namespace, service, loaded };
}

describe("compile, services whose instances a registry tells when they are in use", () => {
  const names = [known("reviews"), known("ratings"), known("back/stock")];

  it("knows every name, at any port, until its instances are told", () => {
    const snapshot = snapshotOf([], [], { services: names });
    expect(sent(snapshot, "reviews")).toBe(out("reviews"));
    expect(sent(snapshot, "reviews", 3999)).toBe(out("reviews", 3999));
    expect(sent(snapshot, "stock.back", 8080)).toBe("outbound|8080||stock.back.svc.cluster.local");
    expect(sent(snapshot, "details")).toBe("unknown");
    expect(endpointsOf(snapshot, out("reviews", 3999))).toEqual([]);
    expect(snapshot.services.get(host("reviews"))).toMatchObject({
      implicit: true,
      pending: true,
      knownAs: [{ namespace: "shop", service: "reviews" }],
    });
  });

  it("knows the ports of one that was told, as of any other", () => {
    const loaded = [known("reviews", true), ...names.slice(1)];
    const before = snapshotOf([], [], { services: names });
    const snapshot = snapshotOf([], [lease("reviews", 3001)], { services: loaded, version: 2 }, before);
    expect(endpointsOf(snapshot, out("reviews"))).toEqual(["10.0.0.1:3001"]);
    expect(sent(snapshot, "reviews", 3001)).toBe(out("reviews", 3001));
    expect(sent(snapshot, "reviews", 3999)).toBe("unknown");
    expect(sent(snapshot, "ratings", 3999)).toBe(out("ratings", 3999));
    expect(snapshot.services.get(host("reviews"))).not.toHaveProperty("pending");
    expect(snapshot.services.get(host("reviews"))?.knownAs).toHaveLength(1);
  });

  it("still knows one that turns out to have no instance, whatever the port", () => {
    const before = snapshotOf([], [], { services: names });
    const services = [known("reviews", true), ...names.slice(1)];
    const snapshot = snapshotOf([], [], { services, version: 2 }, before);
    expect(sent(snapshot, "reviews")).toBe(out("reviews"));
    expect(sent(snapshot, "reviews", 3001)).toBe(out("reviews", 3001));
    expect(endpointsOf(snapshot, out("reviews"))).toEqual([]);
  });

  it("takes what is told of one in part for no more than that", () => {
    const snapshot = snapshotOf([], [lease("reviews", 3001)], { services: names });
    expect(sent(snapshot, "reviews", 3999)).toBe(out("reviews", 3999));
  });

  it("is the same service with its last instance as without", () => {
    const services = [known("reviews", true)];
    const before = snapshotOf([], [lease("reviews", 3001)], { services });
    const virtualHost = before.routes.lookup("reviews", 80);
    const snapshot = snapshotOf([], [], { services, version: 2 }, before);
    expect(snapshot.services).toBe(before.services);
    expect(snapshot.routes.lookup("reviews", 80)).toBe(virtualHost);
    expect(endpointsOf(snapshot, out("reviews"))).toEqual([]);
  });

  it("forgets a name that the registry lists no more", () => {
    const before = snapshotOf([], [], { services: names });
    const snapshot = snapshotOf([], [], { services: names.slice(1), version: 2 }, before);
    expect(sent(snapshot, "reviews")).toBe("unknown");
    expect(sent(snapshot, "ratings")).toBe(out("ratings"));
  });

  it("takes processes for services whose name is not listed, and whose all is told", () => {
    const snapshot = snapshotOf([], [lease("details", 3000)], { services: names });
    expect(snapshot.services.get(host("details"))).not.toHaveProperty("knownAs");
    expect(sent(snapshot, "details", 3999)).toBe("unknown");
  });

  it("makes again, of all that was used, what concerns the service that was told", () => {
    const ratings = lease("ratings");
    const policy = [
      virtualService("web", "web", route("reviews")), // leads there from another host
      virtualService("reviews", "reviews", `{match: [{uri: {prefix: /v2}}], ${route("reviews", "v2").slice(1)}`),
      resource("DestinationRule", "reviews", "{host: reviews, subsets: [{name: v2, labels: {version: v2}}]}"),
    ];
    const all = [...names, known("web")];
    const before = snapshotOf(policy, [ratings], { services: all });
    const used = (snapshot: Snapshot) => ({
      web: snapshot.routes.lookup("web", 80),
      ratings: snapshot.routes.lookup("ratings", 80),
      ratingsCluster: snapshot.cluster(out("ratings")),
      ratingsEndpoints: snapshot.endpoints(snapshot.cluster(out("ratings"))!),
      stock: snapshot.routes.lookup("stock.back", 80),
    });
    const kept = used(before);
    const subset = before.cluster(out("reviews", 80, "v2"));
    const services = [known("reviews", true), ...all.slice(1)];
    const workloads = [lease("reviews", 3001, { labels: { version: "v2" } }), ratings];
    const snapshot = snapshotOf(policy, workloads, { services, version: 2 }, before);
    const now = used(snapshot);
    expect(now.web).toBe(kept.web);
    expect(now.ratings).toBe(kept.ratings);
    expect(now.ratingsCluster).toBe(kept.ratingsCluster);
    expect(now.ratingsEndpoints).toBe(kept.ratingsEndpoints);
    expect(now.stock).toBe(kept.stock);
    expect(snapshot.cluster(out("reviews", 80, "v2"))).not.toBe(subset);
    expect(endpointsOf(snapshot, out("reviews", 80, "v2"))).toEqual(["10.0.0.1:3001"]);
  });

  it("leaves everything as it is while the same names are told", () => {
    const before = snapshotOf([], [], { services: names });
    const snapshot = snapshotOf([], [], { services: [...names], version: 2 }, before);
    expect(snapshot.services).toBe(before.services);
  });
});

describe("compile, declared services whose instances a registry tells when they are in use", () => {
  const service = resource(
    "Service",
    "reviews",
    "{selector: {app: reviews-app}, ports: [{port: 80, targetPort: 3001}]}",
  );
  const entry = (name: string, spec: string) => resource("ServiceEntry", name, spec);
  const ports = "ports: [{number: 80, name: http, protocol: HTTP}], location: MESH_INTERNAL";

  it.each([
    ["a Service of that name", service, "reviews", "reviews"],
    ["a Service that selects it by app", service, "reviews-app", "reviews"],
    [
      "a Service that selects it by app.kubernetes.io/name",
      resource("Service", "front", '{selector: {"app.kubernetes.io/name": shop-front}, ports: [{port: 80}]}'),
      "shop-front",
      "front",
    ],
    [
      "a ServiceEntry for its host",
      entry("other", `{hosts: [reviews.shop.svc.cluster.local], ${ports}, resolution: STATIC}`),
      "reviews",
      "reviews",
    ],
    [
      "a ServiceEntry that selects it",
      entry(
        "other",
        `{hosts: [stars.shop.svc.cluster.local], ${ports}, resolution: STATIC, workloadSelector: {labels: {app: ratings}}}`,
      ),
      "ratings",
      "stars",
    ],
  ])("is pending: %s", (_, declared, name, short) => {
    const pending = snapshotOf([declared], [], { services: [known(name), known("elsewhere/reviews")] });
    expect(pending.services.get(host(short))).toMatchObject({
      ...{ implicit: false, pending: true, knownAs: [{ namespace: "shop", service: name }] },
    });
    expect(sent(pending, short, 3999)).toBe("unknown"); // its ports are declared
    const services = [known(name, true), known("elsewhere/reviews")];
    const told = snapshotOf([declared], [lease(name, 3001)], { services, version: 2 }, pending);
    expect(told.services.get(host(short))).not.toHaveProperty("pending");
    expect(told.services.get(host(short))).toMatchObject({ knownAs: [{ namespace: "shop", service: name }] });
  });

  it("waits for all names that may be meant", () => {
    const both = (own: boolean, app: boolean) => [known("reviews", own), known("reviews-app", app)];
    const isPending = (services: readonly KnownService[], previous?: Snapshot) => {
      const made = snapshotOf([service], [], { services, version: (previous?.version ?? 0) + 1 }, previous);
      expect(made.services.get(host("reviews"))?.knownAs).toHaveLength(2);
      return { made, pending: made.services.get(host("reviews"))?.pending === true };
    };
    const first = isPending(both(false, false));
    const second = isPending(both(true, false), first.made);
    const third = isPending(both(true, true), second.made);
    expect([first.pending, second.pending, third.pending]).toEqual([true, true, false]);
    expect(second.made.services.get(host("reviews"))).toBe(first.made.services.get(host("reviews")));
  });

  it.each([
    [
      "with endpoints",
      entry(
        "x",
        `{hosts: [reviews.shop.svc.cluster.local], ${ports}, resolution: STATIC, endpoints: [{address: 10.1.1.1}]}`,
      ),
    ],
    [
      "that is an alias",
      resource("Service", "reviews", "{type: ExternalName, externalName: example.com, ports: [{port: 80}]}"),
    ],
  ])("is not pending: one %s", (_, declared) => {
    const { services } = snapshotOf([declared], [], { services: [known("reviews")] });
    expect(services.get(host("reviews"))).not.toHaveProperty("knownAs");
  });
});

describe("compile, services whose own policy a registry tells when they are in use", () => {
  const ruled = (name: string, rulesLoaded: boolean): KnownService => ({ ...known(name, rulesLoaded), rulesLoaded });
  const reviews = { namespace: "shop", service: "reviews" };
  const rules = [virtualService("reviews", "reviews", route("reviews", "v2")), subsets()];
  function subsets() {
    return resource("DestinationRule", "reviews", "{host: reviews, subsets: [{name: v2, labels: {version: v2}}]}");
  }

  it("have no route before, not even their default one, and their rules after", () => {
    const before = snapshotOf([], [], { services: [ruled("reviews", false), known("ratings")] });
    const virtualHost = before.routes.lookup("reviews", 80);
    expect(virtualHost).toMatchObject({ pending: reviews, routes: [], resource: null });
    expect(before.routes.lookup("ratings", 80)).not.toHaveProperty("pending");
    const services = [ruled("reviews", true), known("ratings")];
    const snapshot = snapshotOf(rules, [lease("reviews", 3001)], { services, version: 2 }, before);
    expect(sent(snapshot, "reviews")).toBe(out("reviews", 80, "v2"));
    expect(snapshot.routes.lookup("reviews", 80)).not.toHaveProperty("pending");
    expect(snapshot.services.get(host("reviews"))).toMatchObject({ rulesOnUse: reviews });
    const again = snapshotOf([], [], { services: [ruled("reviews", false)], version: 3 }, snapshot);
    expect(again.routes.lookup("reviews", 80)).toMatchObject({ pending: reviews });
  });

  it("are not waited for where policy does not apply", () => {
    const off = resource("MeshMode", "m", '{mode: "off"}');
    const snapshot = snapshotOf([off], [], { services: [ruled("reviews", false)] });
    expect(sent(snapshot, "reviews")).toBe(out("reviews"));
  });

  it("are waited for by callers of a declared service of that name, too", () => {
    const declared = resource("Service", "reviews", "{selector: {app: stars}, ports: [{port: 80}]}");
    const services = [ruled("stars", true), ruled("reviews", false)];
    const before = snapshotOf([declared], [], { services });
    expect(before.routes.lookup("reviews", 80)).toMatchObject({ pending: reviews });
    const told = [services[0]!, ruled("reviews", true)];
    const snapshot = snapshotOf([declared, ...rules], [], { services: told, version: 2 }, before);
    expect(sent(snapshot, "reviews")).toBe(out("reviews", 80, "v2"));
    expect(snapshot.services.get(host("reviews"))).not.toHaveProperty("rulesPending");
  });
});

describe("compile, services that a Sidecar names", () => {
  const names = [known("reviews"), known("ratings", true), known("back/stock"), known("back/price")];
  const egress = (hosts: string, services: readonly KnownService[] | undefined = names) =>
    snapshotOf([resource("Sidecar", "default", `{egress: [{hosts: [${hosts}]}]}`)], [], {
      ...(services && { services }),
    })
      .egress?.map(({ namespace, service }) => `${namespace}/${service}`)
      .sort();

  it.each([
    ["named ones", `"./${host("reviews")}", "back/stock.back.svc.cluster.local"`, ["back/stock", "shop/reviews"]],
    ["those told already", `"*/${host("ratings")}"`, ["shop/ratings"]],
    ["no pattern's", '"*/*"', []],
    ["no namespace's", '"./*", "back/*"', []],
    ["none of another namespace", `"back/${host("reviews")}"`, []],
    ["none the registry does not have", `"./${host("details")}"`, []],
  ])("are used before they are called: %s", (_, hosts, expected) => {
    expect(egress(hosts)).toEqual(expected);
  });

  it("are at most 200", () => {
    const many = Array.from({ length: 300 }, (_, index) => known(`s${index}`));
    expect(egress(many.map(({ service }) => `"./${host(service)}"`).join(", "), many)).toHaveLength(200);
  });

  it("are none where the registry tells everything", () => {
    const sidecar = resource("Sidecar", "default", `{egress: [{hosts: ["./${host("reviews")}"]}]}`);
    expect(snapshotOf([sidecar], [lease("reviews")]).egress).toEqual([]);
  });
});

describe("compile, one view after the other", () => {
  it("comes to the same as compiling afresh, whatever was told in which order", () => {
    const documents = [
      resource("Service", "a", "{selector: {app: b}, ports: [{port: 80}]}"),
      resource(
        "ServiceEntry",
        "c",
        "{hosts: [c.shop.svc.cluster.local], ports: [{number: 80, name: http, protocol: HTTP}], resolution: STATIC, location: MESH_INTERNAL}",
      ),
      resource("Sidecar", "default", '{egress: [{hosts: ["./*"]}]}'),
    ];
    let seed = 7;
    const chance = (below: number): number => {
      seed = (seed * 1_103_515_245 + 12_345) % 2 ** 31;
      return Math.floor((seed / 2 ** 31) * below);
    };
    const letters = ["a", "b", "c", "d", "e"];
    let states = new Map<string, KnownService>();
    let workloads = new Map<string, Workload>();
    let previous: Snapshot | undefined;
    for (let step = 1; step <= 300; step++) {
      const name = letters[chance(5)] ?? "a";
      states = new Map(states);
      workloads = new Map(workloads);
      if (chance(5) === 0) states.delete(name);
      else states.set(name, known(name, chance(2) === 0));
      if (chance(2) === 0) workloads.delete(name);
      else workloads.set(name, lease(name, 3000 + chance(2)));
      const resources = documents.filter((_, index) => step % (40 * (index + 1)) > 15);
      const services = step % 50 < 45 ? { services: [...states.values()] } : {};
      const input = { ...services, version: step };
      const next = snapshotOf(resources, [...workloads.values()], input, previous);
      const afresh = snapshotOf(resources, [...workloads.values()], input);
      const seen = (snapshot: Snapshot) => [...snapshot.services].sort(([a], [b]) => (a < b ? -1 : 1));
      expect(seen(next)).toEqual(seen(afresh));
      for (const letter of letters) {
        for (const port of [80, 3000, 3999]) {
          expect([step, letter, port, sent(next, letter, port)]).toEqual([
            step,
            letter,
            port,
            sent(afresh, letter, port),
          ]);
          expect(endpointsOf(next, out(letter, port))).toEqual(endpointsOf(afresh, out(letter, port)));
        }
      }
      previous = next;
    }
  });
});
