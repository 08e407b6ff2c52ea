import type { RegistryView } from "@inmesh/core";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { healthEntry, kvEntry, ScriptedConsul, until } from "../scripted-consul.test.helper.js";
import { openSource } from "./opened-source.test.helper.js";

const CATALOG = "/v1/catalog/services";
const POLICY = "/v1/kv/inmesh/policy/";
const WEB = "/v1/health/service/web";
const AUTHORIZE = "/v1/internal/acl/authorize";
const NAMESPACE = (name: string, labels = "{}"): string =>
  `{ apiVersion: v1, kind: Namespace, metadata: { name: ${name}, labels: ${labels} } }`;

let consul: ScriptedConsul;
const closers: (() => Promise<void>)[] = [];

beforeEach(async () => {
  consul = await ScriptedConsul.start();
});

afterEach(async () => {
  for (const close of closers.splice(0)) await close();
  await consul.close();
});

function open(options?: Parameters<typeof openSource>[1]) {
  const opened = openSource(consul, options);
  closers.push(opened.close);
  return opened;
}

describe("ConsulSource", () => {
  it("shows nothing before names and policy have answered, then what there is, fresh", async () => {
    consul.script(POLICY, () => "hold");
    consul.set(CATALOG, { consul: [], web: [], "api--shop": [], "inmesh-callers": [], "no label": [] });
    const { source, views, watch, passing } = open();
    watch();
    await passing(() => consul.held(POLICY) === 2);
    expect([views, source.status.state]).toEqual([[], "connecting"]);
    consul.script(POLICY, undefined);
    consul.set(POLICY, [kvEntry("inmesh/policy/a/Namespace/a", NAMESPACE("a"))]);
    await passing(() => views.length === 1);
    expect(views[0]).toMatchObject({
      leases: [],
      problems: [],
      services: [
        { service: "api", namespace: "shop", loaded: false },
        { service: "web", namespace: "default", loaded: false },
      ],
    });
    expect(views[0]?.documents.map(({ key, origin }) => [key, origin.file])).toEqual([
      ["Namespace/a/a", "inmesh/policy/a/Namespace/a"],
    ]);
    expect(views[0]).not.toHaveProperty("workloads");
    expect(source.status.state).toBe("fresh");
  });

  it("waits for the instances of what is in use already, but not for ever", async () => {
    consul.set(CATALOG, { web: [], api: [] });
    consul.set(WEB, [healthEntry({ id: "web-1" })]);
    consul.script("/v1/health/service/api", () => "hang");
    const { clock, views, watch, use, passing } = open();
    use("web");
    use("api");
    watch();
    await passing(() => [WEB, CATALOG, POLICY].every((path) => consul.held(path) === 1));
    expect(views).toEqual([]);
    clock.advance(3_000);
    expect(views).toHaveLength(1);
    expect(views[0]?.services).toEqual([
      { service: "api", namespace: "default", loaded: false },
      { service: "web", namespace: "default", loaded: true },
    ]);
    expect(views[0]?.workloads).toHaveLength(1);
  });

  it("watches the instances of five services when a thousand are known and five are used", async () => {
    const names = Array.from({ length: 1_000 }, (_, index) => `service-${index}`);
    consul.set(CATALOG, Object.fromEntries(names.map((name) => [name, []])));
    const { watch, use, passing, rest, last } = open();
    watch();
    await passing(() => last()?.services?.length === 1_000);
    for (let twice = 0; twice < 2; twice++) for (const name of names.slice(0, 5)) use(name);
    await passing(() => last()?.services?.filter(({ loaded }) => loaded).length === 5);
    await passing(() => names.slice(0, 5).every((name) => consul.held(`/v1/health/service/${name}`) === 1));
    await rest();
    const asked = new Set(consul.requests.map(({ path }) => path).filter((path) => path.startsWith("/v1/health/")));
    expect([...asked].sort()).toEqual(names.slice(0, 5).map((name) => `/v1/health/service/${name}`));
    expect(consul.asked("/v1/health/service/service-0")).toHaveLength(2); // one for what is, one held
  });

  it("keeps the objects of what did not change, and tells nothing when nothing did", async () => {
    consul.set(CATALOG, { web: [], api: [] });
    consul.set(WEB, [healthEntry({ id: "web-1" }), healthEntry({ id: "web-2" })]);
    const keys = [
      kvEntry("inmesh/policy/a/Namespace/a", NAMESPACE("a"), 1),
      kvEntry("inmesh/policy/b/Namespace/b", NAMESPACE("b"), 2),
    ];
    consul.set(POLICY, keys);
    const { views, watch, use, passing, rest, last } = open();
    use("web");
    watch();
    await passing(() => views.length === 1);
    const [before] = views;
    // The index of each moves, and the output of a check with it.
    consul.set(WEB, [healthEntry({ id: "web-2", Output: "200 OK" }), healthEntry({ id: "web-1" })]);
    consul.set(POLICY, keys);
    consul.set(CATALOG, { api: ["a tag"], web: [] });
    await passing(() => consul.held(WEB) + consul.held(POLICY) + consul.held(CATALOG) === 3);
    await rest();
    expect(views).toHaveLength(1);
    consul.set(WEB, [healthEntry({ id: "web-1", status: "critical" }), healthEntry({ id: "web-2" })]);
    await passing(() => views.length === 2);
    const one = (view: RegistryView | undefined, id: string) => view?.workloads?.find(({ name }) => name.endsWith(id));
    expect(one(last(), "web-1")).toMatchObject({ healthy: false });
    expect(one(last(), "web-2")).toBe(one(before, "web-2"));
    expect(last()?.documents).toEqual(before?.documents);
    expect(last()?.documents[0]).toBe(before?.documents[0]);
    expect(last()?.services?.[0]).toBe(before?.services?.[0]);
    consul.set(POLICY, [keys[0], kvEntry("inmesh/policy/b/Namespace/b", NAMESPACE("b", "{ changed: yes }"), 2)]);
    await passing(() => views.length === 3);
    expect(last()?.documents[0]).toBe(before?.documents[0]);
    expect(last()?.documents[1]).not.toBe(before?.documents[1]);
    expect(one(last(), "web-2")).toBe(one(before, "web-2"));
  });

  it("keeps what a key last said while its value is no YAML, and says where", async () => {
    const key = "inmesh/policy/a/Namespace/a";
    consul.set(POLICY, [kvEntry(key, NAMESPACE("a")), kvEntry("inmesh/policy/b/Namespace/b", NAMESPACE("b"), 2)]);
    const { views, watch, passing, last } = open();
    watch();
    await passing(() => views.length === 1);
    consul.set(POLICY, [kvEntry(key, "{ apiVersion: [", 1), kvEntry("inmesh/policy/b/Namespace/b", NAMESPACE("b"), 2)]);
    await passing(() => views.length === 2);
    expect(last()?.documents).toEqual(views[0]?.documents);
    expect(new Set(last()?.problems.map(({ severity, file }) => `${severity} ${file}`))).toEqual(
      new Set([`error ${key}`]),
    );
    consul.set(POLICY, undefined); // an empty prefix is a 404
    await passing(() => last()?.documents.length === 0);
    expect(last()?.problems).toEqual([]);
  });

  it("orders policy by when its keys were made, and says so of one resource under two keys", async () => {
    consul.set(POLICY, [
      kvEntry("inmesh/policy/", "", 1),
      kvEntry("inmesh/policy/a", NAMESPACE("same", "{ from: a }"), 9),
      kvEntry("inmesh/policy/b", NAMESPACE("same", "{ from: b }"), 3),
      kvEntry("inmesh/policy/c", NAMESPACE("c"), 4),
    ]);
    const { views, watch, passing } = open();
    watch();
    await passing(() => views.length === 1);
    expect(views[0]?.documents.map(({ origin }) => origin.file)).toEqual(["inmesh/policy/b", "inmesh/policy/c"]);
    expect(views[0]?.problems).toMatchObject([{ code: "IM0701", file: "inmesh/policy/a" }]);
  });

  it.each([
    ["cut off", () => "cut" as const, /cut off/],
    ["of another shape", () => ({ body: { a: 1 } }), /with something else/],
    ["of half another shape", () => ({ body: [healthEntry({ id: "web-9" }), { Node: {} }] }), /with something else/],
    ["an error", () => ({ status: 500, body: "No cluster leader" }), /500: No cluster leader/],
  ])("keeps everything when an answer is %s, and says why it is stale", async (_, script, reason) => {
    consul.set(CATALOG, { web: [] });
    consul.set(WEB, [healthEntry({ id: "web-1" })]);
    const { source, clock, views, watch, use, passing } = open();
    use("web");
    watch();
    await passing(() => views.length === 1);
    const { since } = source.status;
    consul.script(WEB, script);
    consul.wake(WEB);
    await passing(() => source.status.state === "stale");
    expect(source.status.reason).toMatch(reason);
    expect(source.status.reason).not.toContain("s3cret");
    expect(source.status.since).toBeGreaterThan(since);
    expect(views).toHaveLength(1);
    consul.script(WEB, undefined);
    clock.advance(1_000);
    await passing(() => source.status.state === "fresh");
    expect(views).toHaveLength(1);
    expect(source.status).not.toHaveProperty("reason");
  });

  it("is stale without a view when the registry is away from the start, and fresh when it comes", async () => {
    consul.script(CATALOG, () => ({ status: 403, body: "ACL not found" }));
    const { source, clock, views, watch, passing } = open();
    watch();
    await passing(() => source.status.state === "stale");
    expect(source.status.reason).toMatch(/403: ACL not found/);
    expect(views).toEqual([]);
    consul.script(CATALOG, undefined);
    clock.advance(1_000);
    await passing(() => source.status.state === "fresh");
    expect(views).toHaveLength(1);
  });

  describe("with ACLs", () => {
    const may = (allowed: (resource: string, segment: string) => boolean): void =>
      consul.script(AUTHORIZE, ({ body }) => ({
        body: (JSON.parse(body) as { Resource: string; Segment: string }[]).map((each) => ({
          ...each,
          Allow: allowed(each.Resource, each.Segment),
        })),
      }));

    it("believes that instances are gone only where the token may see them", async () => {
      consul.set(CATALOG, { web: [] });
      consul.set(WEB, [healthEntry({ id: "web-1" })]);
      const { source, clock, views, watch, use, passing, last } = open();
      may((resource) => resource !== "node");
      use("web");
      watch();
      await passing(() => views.length === 1);
      consul.set(WEB, []);
      await passing(() => source.status.state === "stale");
      expect(source.status.reason).toMatch(/may not read node "n1"\. What was read before stays; grant it node:read/);
      expect(last()?.workloads).toHaveLength(1);
      may(() => true);
      clock.advance(1_000);
      await passing(() => source.status.state === "fresh");
      await passing(() => last()?.workloads === undefined);
    });

    it("keeps names that vanish, and takes policy for hidden, not for empty", async () => {
      consul.set(CATALOG, { web: [], api: [] });
      consul.set(POLICY, [kvEntry("inmesh/policy/a", NAMESPACE("a"))]);
      const { source, clock, views, watch, passing } = open();
      may((_, segment) => segment === "inmesh/services/");
      watch();
      await passing(() => views.length === 1);
      consul.set(CATALOG, {});
      await passing(() => source.status.reason?.includes('may not read service "api"') === true);
      consul.set(POLICY, undefined);
      await passing(() => source.status.reason?.includes('may not read key "inmesh/policy/a"') === true);
      expect(views).toHaveLength(1);
      may(() => true);
      clock.advance(1_000);
      await passing(() => views.at(-1)?.documents.length === 0 && views.at(-1)?.services?.length === 0);
      await passing(() => source.status.state === "fresh");
    });

    it("says so when the token may read no service at all", async () => {
      consul.set(CATALOG, {});
      const { views, watch, passing } = open();
      watch();
      await passing(() => views.length === 1);
      expect(views[0]?.problems).toMatchObject([{ code: "IM0720", severity: "warning" }]);
      consul.set(CATALOG, { consul: [] });
      await passing(() => views.at(-1)?.problems.length === 0);
    });

    it.each([
      ["inmesh/policy/", undefined],
      ["inmesh/services/", undefined],
      ["inmesh/services/", { namespace: "default", service: "shop" }],
    ])("shows no first view while the token may not read policy below %s", async (prefix, own) => {
      const { source, views, watch, passing } = open(own && { own });
      may((_, segment) => segment !== prefix);
      watch();
      await passing(() => source.status.state === "stale");
      expect(source.status.reason).toContain(`may not read key "${prefix}"`);
      expect(views).toEqual([]);
    });

    it("keeps what it has when it cannot find out", async () => {
      consul.set(CATALOG, { web: [] });
      consul.set(WEB, [healthEntry({ id: "web-1" })]);
      const { source, views, watch, use, passing } = open();
      use("web");
      watch();
      await passing(() => views.length === 1);
      consul.script(AUTHORIZE, () => ({ status: 500, body: "No cluster leader" }));
      consul.set(WEB, []);
      await passing(() => source.status.state === "stale");
      expect(views).toHaveLength(1);
    });
  });

  it("notices within seconds that a token was revoked while every question is held", async () => {
    const { source, clock, views, watch, passing } = open();
    watch();
    await passing(() => views.length === 1 && consul.held(CATALOG) === 1);
    consul.script(POLICY, () => ({ status: 403, body: "ACL not found" }));
    clock.advance(5_000);
    await passing(() => source.status.state === "stale");
    expect(source.status.reason).toMatch(/403: ACL not found/);
    expect(consul.held(CATALOG)).toBe(1);
  });

  it("says how far behind the server is, and is stale when that is long", async () => {
    const { source, clock, views, watch, passing } = open();
    watch();
    await passing(() => views.length === 1 && consul.held(POLICY) === 1);
    consul.headers = { "x-consul-lastcontact": "1500" };
    clock.advance(5_000);
    await passing(() => source.status.lagMs === 1_500);
    expect(source.status.state).toBe("fresh");
    consul.headers = { "x-consul-lastcontact": "12000", "x-consul-knownleader": "false" };
    clock.advance(5_000);
    await passing(() => source.status.state === "stale");
    expect(source.status).toMatchObject({
      lagMs: 12_000,
      reason: "the Consul server that answers has not heard of a leader for 12 s",
    });
    consul.headers = {};
    clock.advance(5_000);
    await passing(() => source.status.state === "fresh");
    expect(source.status).not.toHaveProperty("lagMs");
  });

  it("asks everything anew when the server answers again: what was held may be held by nobody", async () => {
    consul.set(CATALOG, { web: [] });
    consul.set(WEB, [healthEntry({ id: "web-1" })]);
    const { source, clock, watch, use, passing, last } = open();
    use("web");
    watch();
    await passing(() => consul.held(WEB) === 1);
    // A machine that is cut off: its connections stay open on this side, and nobody holds anything on the other.
    consul.script(POLICY, () => "hang");
    consul.script(WEB, () => "hang");
    clock.advance(10_000);
    await passing(() => source.status.state === "stale");
    consul.script(POLICY, undefined);
    consul.script(WEB, undefined);
    const asked = consul.count(WEB);
    clock.advance(5_000);
    await passing(() => source.status.state === "fresh" && consul.count(WEB) > asked);
    expect(consul.asked(WEB)[asked]?.query.has("index")).toBe(false);
    expect(last()?.workloads).toHaveLength(1);
  });

  it("forgets a service that nobody called for an hour, and watches it again when it is called", async () => {
    consul.set(CATALOG, { web: [], api: [] });
    consul.set(WEB, [healthEntry({ id: "web-1" })]);
    const { clock, watch, use, passing, last } = open();
    use("web");
    watch();
    await passing(() => last()?.workloads?.length === 1 && consul.held(WEB) === 1);
    clock.stall(3_540_000);
    use("api");
    clock.stall(120_000);
    clock.advance(0);
    await passing(() => last()?.workloads === undefined);
    expect(last()?.services?.map(({ service, loaded }) => `${service} ${loaded}`)).toContain("web false");
    await passing(() => consul.held(WEB) === 0);
    await passing(() => last()?.services?.find(({ service }) => service === "api")?.loaded === true);
    use("web");
    await passing(() => last()?.workloads?.length === 1);
  });

  it("tells everybody's instances when the scope is all, and watches those that come", async () => {
    consul.set(CATALOG, { consul: [], web: [] });
    consul.set(WEB, [healthEntry({ id: "web-1" })]);
    const { views, watch, passing, last } = open({ scope: "all" });
    watch();
    await passing(() => views.length === 1);
    expect(views[0]?.workloads).toHaveLength(1);
    expect(views[0]).not.toHaveProperty("services");
    consul.set("/v1/health/service/api", [healthEntry({ id: "api-1", service: "api" })]);
    consul.set(CATALOG, { consul: [], web: [], api: [] });
    await passing(() => last()?.workloads?.length === 2);
    consul.set(CATALOG, { consul: [], api: [] });
    await passing(() => last()?.workloads?.length === 1 && consul.held(WEB) === 0);
    expect(consul.count("/v1/health/service/consul")).toBe(0);
  });

  it("asks a prepared query every few seconds, and shows whom it finds, wherever they are", async () => {
    const EXECUTE = "/v1/query/near/execute";
    const found = (failovers: number, ...nodes: object[]): object => ({
      Service: "web",
      Nodes: nodes,
      Failovers: failovers,
    });
    consul.set(EXECUTE, found(0, healthEntry({ id: "web-1" })));
    const { clock, watch, use, passing, last } = open({ query: "entries=false&queries=near" });
    watch();
    use("near");
    await passing(() => last()?.workloads?.length === 1);
    expect(last()?.services).toEqual([{ namespace: "default", service: "near", loaded: true }]);
    expect(last()?.workloads).toMatchObject([{ service: "near", address: "127.0.0.1" }]);
    const wan = { TaggedAddresses: { wan: { Address: "203.0.113.9", Port: 9_000 } } };
    consul.set(EXECUTE, found(1, healthEntry({ id: "web-2", ...wan })));
    clock.advance(5_000);
    await passing(() => last()?.workloads?.[0]?.address === "203.0.113.9");
    expect(last()?.workloads).toMatchObject([{ service: "near", ports: [{ number: 9_000 }] }]);
    expect(consul.count(EXECUTE)).toBe(2);
    expect(consul.count("/v1/health/service/near")).toBe(0);
  });

  it("calls no listener any more once closed, and asks nothing more", async () => {
    const { source, views, watch, passing } = open();
    watch();
    await passing(() => views.length === 1);
    await source.close();
    consul.set(CATALOG, { web: [] });
    source.use({ namespace: "default", service: "web" });
    await until(() => consul.held(CATALOG) === 0);
    expect([views.length, consul.count(WEB)]).toEqual([1, 0]);
  });
});

describe("ConsulSource with config entries", () => {
  const RESOLVER = "/v1/config/service-resolver";
  const resolver = (more: object): object => ({ Kind: "service-resolver", Name: "web", ...more });

  it("goes on without kinds that the server does not know, and reads old intentions then", async () => {
    for (const kind of ["service-intentions", "mesh"])
      consul.script(`/v1/config/${kind}`, () => ({ status: 500, body: `invalid config entry kind: ${kind}` }));
    const { source, views, watch, passing } = open({ query: "" });
    watch();
    await passing(() => views.length === 1 && consul.count("/v1/connect/intentions") === 1);
    expect(source.status.state).toBe("fresh");
  });

  it("holds a question only for kinds that have entries, and looks every few seconds whether others have", async () => {
    const { clock, views, watch, passing, rest } = open({ query: "" });
    watch();
    await passing(() => views.length === 1);
    await passing(() => [CATALOG, POLICY].every((path) => consul.held(path) === 1));
    const before = consul.count(RESOLVER);
    const SPLITTER = "/v1/config/service-splitter";
    await rest();
    expect([consul.held(RESOLVER), consul.held(SPLITTER)]).toEqual([0, 0]);
    clock.advance(5_000); // the index is the same
    await passing(() => consul.count("/v1/config/proxy-defaults") === 3);
    expect(consul.count(RESOLVER)).toBe(before);
    consul.set(RESOLVER, [resolver({ ConnectTimeout: "3s" })]);
    clock.advance(5_000);
    await passing(() => consul.held(RESOLVER) === 1);
    expect(consul.held(SPLITTER)).toBe(0);
    await passing(() => views.at(-1)?.documents[0]?.kind === "DestinationRule");
    consul.set(RESOLVER, [resolver({ ConnectTimeout: "4s" })]);
    await passing(() => JSON.stringify(views.at(-1)?.documents).includes("4s"));
  });

  it("makes policy of them beside what is written, and of other datacenters' instances those of the service", async () => {
    consul.set("/v1/agent/self", { Config: { Datacenter: "dc1" }, DebugConfig: { ACLsEnabled: false } });
    consul.set(CATALOG, { web: [] });
    consul.set(WEB, [healthEntry({ id: "web-1" })]);
    consul.set(POLICY, [kvEntry("inmesh/policy/a", NAMESPACE("a"))]);
    const { clock, views, watch, use, passing, rest, last } = open({ query: "" });
    use("web");
    watch();
    await passing(() => views.length === 1);
    consul.script(WEB, ({ query }) =>
      query.get("dc") === "dc2" && !query.has("index") ? { body: [healthEntry({ id: "web-2" })] } : "hold",
    );
    consul.set(RESOLVER, [resolver({ Failover: { "*": { Datacenters: ["dc2"] } } })]);
    clock.advance(5_000);
    await passing(() => last()?.workloads?.length === 2);
    const [near, far] = last()?.workloads ?? [];
    expect(Object.keys(far?.labels ?? {}).length).toBeGreaterThan(0);
    expect(Object.keys(near?.labels ?? {}).length).toBeGreaterThan(Object.keys(far?.labels ?? {}).length);
    expect(
      last()
        ?.documents.map(({ kind }) => kind)
        .sort(),
    ).toContain("DestinationRule");
    expect(last()?.documents[0]).toBe(views[0]?.documents[0]);
    expect(last()?.services).toEqual([{ namespace: "default", service: "web", loaded: true }]);
    const [shown, asked] = [views.length, consul.count(RESOLVER)];
    consul.set(RESOLVER, [resolver({ Failover: { "*": { Datacenters: ["dc2"] } }, ModifyIndex: 99 })]);
    await passing(() => consul.held(RESOLVER) === 1 && consul.count(RESOLVER) > asked);
    await rest();
    expect(views).toHaveLength(shown); // what it says is the same
    consul.set(RESOLVER, []);
    await passing(() => last()?.workloads?.length === 1 && last()?.documents.length === 1);
    expect({ ...last()?.workloads?.[0]?.labels }).toEqual({});
  });
});
