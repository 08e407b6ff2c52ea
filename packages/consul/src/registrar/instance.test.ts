import type { LeaseSpec } from "@inmesh/core";
import { lease } from "@inmesh/core/testing";
import { describe, expect, it } from "vitest";
import { leaseOf, toServiceInstance } from "./instance.js";

const HOME = { namespace: "default" };
const many = (count: number, text = "x"): Record<string, string> =>
  Object.fromEntries(Array.from({ length: count }, (_, index) => [`label-${index}`, text]));

/** As Consul shows it: keys sorted, no prototype kept. */
function entryOf(instance: object, checks: readonly object[] = [{ Status: "passing" }]): unknown {
  const { Name, ...rest } = JSON.parse(JSON.stringify(instance));
  return { Node: { Address: "10.9.9.9" }, Service: { ...rest, Service: Name }, Checks: checks };
}

/** What is plain in a lease spec is compared as entries, since read labels have no prototype. */
function flat({ labels, ...rest }: LeaseSpec): unknown {
  return { ...rest, labels: Object.entries(labels).sort() };
}

describe("a lease as an instance of a Consul service", () => {
  it("says of itself what people and tools look for", () => {
    expect(toServiceInstance({ ...lease("a"), weight: 5, tags: ["blue"] }, HOME, { host: "h", started: "47" })).toEqual(
      {
        ID: "shop.reviews.a",
        Name: "reviews--shop",
        Address: "127.0.0.1",
        Port: 8080,
        Tags: ["blue"],
        Weights: { Passing: 5, Warning: 1 },
        Meta: {
          version: "v1",
          "inmesh-labels": "app.kubernetes.io%2Fname=reviews",
          "inmesh-schema": "1",
          "inmesh-version": "0.1.0",
          "inmesh-pid": `${process.pid}`,
          "inmesh-ttl-ms": "15000",
          "inmesh-ports": "http:8080",
          "inmesh-locality": "eu/eu-1/rack-2",
          "inmesh-service-account": "reviews",
          "inmesh-admin": "http://127.0.0.1:9901",
          "inmesh-host": "h",
          "inmesh-pid-started": "47",
        },
      },
    );
  });

  it.each<[string, Partial<LeaseSpec>]>([
    ["everything", {}],
    ["weight and tags", { weight: 65_535, tags: ["b", "a", "urlprefix-/x"] }],
    ["the home namespace", { namespace: "default" }],
    ["a service with two dashes, at home", { namespace: "default", service: "a--b" }],
    ["no ports and no labels", { ports: [], labels: {} }],
    ["a label called __proto__", { labels: JSON.parse('{"__proto__":"x","constructor":"y"}') }],
    [
      "labels Consul keeps for itself, and ours",
      { labels: { "consul-x": "1", "inmesh-pid": "2", "inmesh-labels-1": "" } },
    ],
    ["labels in another script", { labels: { größe: "ü", plain: "日本", "a b": " \n", "": "" } }],
    ["a label longer than a value", { labels: { long: "ü".repeat(700), "p/q": "%".repeat(600) } }],
    ["more labels than pairs", { labels: many(300) }],
    [
      "strange port names, in order",
      { ports: ["", "a:b", "c,d", "%", "http"].map((name, i) => ({ name, number: 9 - i })) },
    ],
    ["many ports", { ports: Array.from({ length: 200 }, (_, i) => ({ name: `port-${i}`, number: 1_000 + i })) }],
    ["an IPv6 address", { address: "fd00::1", admin: "http://[::1]:9901" }],
    ["a locality of slashes", { locality: { region: "a/b", zone: "", subZone: "%2F" } }],
    ["an account and a version of any text", { serviceAccount: "é %", inmeshVersion: "1 ü" }],
  ])("is read as the same lease: %s", (_, change) => {
    const spec = { ...lease("a"), ...change };
    const made = toServiceInstance(spec, HOME);
    const pairs = Object.entries(made.Meta);
    expect(pairs.length).toBeLessThanOrEqual(64);
    for (const [key, value] of pairs) {
      expect(key).toMatch(/^(?!consul-)[A-Za-z0-9_-]{1,128}$/);
      expect(Buffer.byteLength(value)).toBeLessThanOrEqual(512);
    }
    const { name, ...read } = leaseOf(entryOf(made), HOME) ?? expect.fail("it is no lease");
    expect(name).toBe(`${spec.namespace}.${spec.service}.a`);
    expect(flat(read)).toEqual(flat(spec));
  });

  it("is a lease without ports also where the server leaves a port of 0 away", () => {
    const { Port: _, ...made } = toServiceInstance({ ...lease("a"), ports: [] }, HOME);
    expect(leaseOf(entryOf(made), HOME)?.ports).toEqual([]);
  });

  it("refuses more than Consul keeps, and says what to do", () => {
    expect(() => toServiceInstance({ ...lease("a"), labels: many(100, "x".repeat(500)) }, HOME)).toThrow(
      /more than the 64 pairs of 512 bytes.*: 100 labels; take some away/,
    );
  });

  it("refuses a service called as where callers register", () => {
    expect(() => toServiceInstance({ ...lease("a"), service: "inmesh-callers" }, HOME)).toThrow("serve nothing");
  });

  const good = entryOf(toServiceInstance(lease("a"), HOME)) as { Service: Record<string, unknown> };
  const changed = (change: object) => ({ ...good, Service: { ...good.Service, ...change } });
  const meta = (change: object) => changed({ Meta: { ...(good.Service["Meta"] as object), ...change } });

  it.each<[string, unknown]>([
    ["nothing", undefined],
    ["text", "reviews"],
    ["a service of others", { Node: {}, Service: { ID: "reviews-1", Service: "reviews", Port: 80, Meta: null } }],
    ["an id that speaks for another service", changed({ ID: "shop.payments.a" })],
    ["an id that speaks for another namespace", changed({ ID: "default.reviews.a" })],
    ["an id of four parts", changed({ ID: "shop.reviews.a.b" })],
    ["an id that is no name", changed({ ID: "shop.reviews.../x" })],
    ["a caller with a port", changed({ Service: "inmesh-callers" })],
    ["another port than its first", changed({ Port: 81 })],
    ["no meta", changed({ Meta: null })],
    ["meta that is no object", changed({ Meta: ["a"] })],
    ["a port that is none", meta({ "inmesh-ports": "http:99999" })],
    ["ports that are none", meta({ "inmesh-ports": "8080" })],
    ["no pid", meta({ "inmesh-pid": "" })],
    ["a pid that is none", meta({ "inmesh-pid": "1e3" })],
    ["no lifetime", meta({ "inmesh-ttl-ms": "soon" })],
    ["no schema version", meta({ "inmesh-schema": 1 })],
  ])("takes no lease from %s", (_, entry) => {
    expect(leaseOf(entry, HOME)).toBeUndefined();
  });

  it("reads labels of others without touching a prototype", () => {
    const read = leaseOf(meta(JSON.parse('{"__proto__":"x","toString":"y"}')), HOME);
    expect(Object.getPrototypeOf(read?.labels)).toBe(null);
    expect(({} as Record<string, unknown>)["x"]).toBeUndefined();
    expect(read?.labels["toString"]).toBe("y");
  });

  it.each<[string, readonly object[], object]>([
    ["passing", [{ Status: "passing" }, { Status: "passing" }], { weight: 5 }],
    ["warning: less", [{ Status: "warning" }, { Status: "passing" }], {}],
    ["critical: not to be called", [{ Status: "warning" }, { Status: "critical" }], { healthy: false }],
    ["in maintenance: not to be called", [{ CheckID: "_node_maintenance", Status: "critical" }], { healthy: false }],
    ["without a check", [], { weight: 5 }],
  ])("is %s", (_, checks, expected) => {
    const read = leaseOf(entryOf(toServiceInstance({ ...lease("a"), weight: 5 }, HOME), checks), HOME);
    const { weight, healthy } = read ?? {};
    expect({ ...(weight && { weight }), ...(healthy !== undefined && { healthy }) }).toEqual(expected);
  });
});
