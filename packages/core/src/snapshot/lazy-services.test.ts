import { compile, type Document, type Locality, parseDocuments, validateDocument } from "@inmesh/model";
import { describe, expect, it } from "vitest";
import { registryReading } from "../admin/registry-view.js";
import { snapshotView } from "../admin/snapshot-view.js";
import { clustersView } from "../admin/traffic-view.js";
import { loadOpossum } from "../breaker/opossum-switch.js";
import { explain } from "../explain/explain.js";
import { settle } from "../runtime/fake-clock.js";
import { answers, refuses } from "../testing/behaviour.js";
import { lease } from "../testing/registry-cases.js";
import { type TestCallOptions, testEngine } from "../testing/test-engine.js";
import type { UsedService } from "./demand.js";
import { LazySource } from "./lazy-source.js";
import { MemoryRegistry } from "./memory-registry.js";
import { Pipeline } from "./pipeline.js";
import type { LeaseSpec, ServiceRef } from "./source.js";
import type { SavedState, StateContent, StateFile } from "./state-file.js";

const TELL_MS = 30;

/** A mesh whose registry tells instances when they are in use, after a while. */
async function setup({
  policy = "",
  used,
  locality,
  ...options
}: {
  policy?: string;
  used?: readonly UsedService[];
  locality?: Locality;
  onlyObserves?: boolean;
} = {}) {
  const told: string[] = [];
  const mesh = testEngine(undefined, {
    ...options,
    onUse: ({ namespace, service }) => {
      told.push(`${namespace}/${service}`);
      pipeline.use({ namespace, service });
    },
  });
  const { clock, store, engine, send } = mesh;
  const registry = new MemoryRegistry({ clock, documents: documents(policy) });
  const source = new LazySource({ source: registry, clock, tellAfterMs: TELL_MS });
  const saved: StateContent[] = [];
  const kept: SavedState | undefined = used && { documents: [], leases: [], used, savedAt: 0 };
  const state = {
    load: async () => kept,
    save: (content: StateContent) => saved.push(content),
    refresh() {},
    async close() {},
  };
  const pipeline = new Pipeline({
    ...{ source, store, clock, validate: validateDocument, compile, state: state as unknown as StateFile },
    client: { namespace: "shop", service: "web", labels: {}, ...(locality && { locality }) },
  });
  const register = (service: string, port: number, part: Partial<LeaseSpec> = {}) =>
    registry.register({
      ...lease(`i${port}`),
      service,
      address: "10.0.0.1",
      ports: [{ number: port, name: "http" }],
      ...part,
    });
  const start = async () => {
    pipeline.start();
    await settle();
  };
  /** One call to its end. @returns its status, or the text of its error */
  const call = async (host: string, more?: TestCallOptions) => {
    const { call: made, exchange } = send(host, more);
    await clock.advanceAsync(TELL_MS + 5);
    return made.error === undefined ? [exchange.status, made.attempt?.endpoint.endpoint.id] : String(made.error);
  };
  return { ...mesh, engine, registry, source, pipeline, register, start, call, told, saved };
}

function documents(yaml: string): readonly Document[] {
  return parseDocuments(yaml, { file: "policy.yaml", namespace: "shop" }).documents;
}

describe("services whose instances a registry tells when they are in use", () => {
  it("watches five of a thousand that are known, when five are called", async () => {
    const { register, start, call, source, store, told, pipeline, clock } = await setup();
    for (let index = 0; index < 1_000; index++) await register(`service-${index}`, 3_000 + (index % 7));
    await start();
    expect([store.current?.services.size, source.used]).toEqual([1_000, []]);
    const counted = () => registryReading(pipeline.status, "memory", clock).services;
    expect(counted()).toEqual({ known: 1_000, loaded: 0 });
    for (let index = 0; index < 5; index++) {
      for (let turn = 0; turn < 3; turn++)
        expect(await call(`service-${index}`)).toEqual([200, `10.0.0.1:${3_000 + index}`]);
    }
    expect(source.used).toEqual([0, 1, 2, 3, 4].map((index) => `shop/service-${index}`));
    expect(told).toEqual(source.used);
    expect(counted()).toEqual({ known: 1_000, loaded: 5 });
  });

  it("lets the first calls wait for the instances, and asks for them once", async () => {
    const { register, start, send, clock, told } = await setup();
    await register("reviews", 3_001);
    await start();
    const calls = Array.from({ length: 10 }, () => send("reviews"));
    await clock.advanceAsync(TELL_MS - 1);
    expect(calls.map(({ call }) => call.attempts)).toEqual(Array(10).fill(0));
    await clock.advanceAsync(5);
    expect(calls.map(({ exchange }) => exchange.status)).toEqual(Array(10).fill(200));
    expect(told).toEqual(["shop/reviews"]);
    expect(send("reviews").call.attempts).toBe(1); // within the same turn
  });

  it("says about once a minute that a service is still in use, whatever its subsets", async () => {
    const policy = `{apiVersion: networking.istio.io/v1, kind: DestinationRule, metadata: {name: r}, spec: {host: reviews, subsets: [{name: v1, labels: {version: v1}}]}}
---
{apiVersion: networking.istio.io/v1, kind: VirtualService, metadata: {name: r}, spec: {hosts: [reviews], http: [{match: [{uri: {prefix: /v1}}], route: [{destination: {host: reviews, subset: v1}}]}, {route: [{destination: {host: reviews}}]}]}}`;
    const { register, start, send, clock, told } = await setup({ policy });
    await register("reviews", 3_001);
    await start();
    for (let second = 0; second < 600; second++) {
      send("reviews");
      send("reviews", { path: "/v1/x" });
      await clock.advanceAsync(1_000);
    }
    expect(told.length).toBeGreaterThanOrEqual(9);
    expect(told.length).toBeLessThanOrEqual(11);
  });

  it("loses no call when the registry stops telling of a service that nobody called for an hour", async () => {
    const { register, start, call, clock, source, store, told } = await setup();
    await register("reviews", 3_001);
    await start();
    expect(await call("reviews")).toEqual([200, "10.0.0.1:3001"]);
    await clock.advanceAsync(59 * 60_000);
    expect(await call("reviews")).toEqual([200, "10.0.0.1:3001"]);
    await clock.advanceAsync(3_600_000);
    expect([source.used, store.current?.services.get("reviews.shop.svc.cluster.local")?.pending]).toEqual([[], true]);
    expect(await call("reviews")).toEqual([200, "10.0.0.1:3001"]);
    expect(told).toHaveLength(3);
  });

  it("says what it waited for when the registry does not tell in time", async () => {
    const { register, start, send, clock, source } = await setup();
    await register("reviews", 3_001);
    await start();
    source.use = () => {};
    const { call } = send("reviews");
    await clock.advanceAsync(9_999);
    expect(call.ended).toBe(false);
    await clock.advanceAsync(2);
    expect([call.status, call.error]).toMatchObject([503, { code: "NO_ENDPOINT" }]);
    expect(String(call.error)).toContain("the registry has not told its instances yet. The call was not sent");
  });

  it("waits no longer than the caller, nor than the rule's timeout", async () => {
    const policy =
      "{apiVersion: networking.istio.io/v1, kind: VirtualService, metadata: {name: r}, spec: {hosts: [ratings], http: [{timeout: 0.2s, route: [{destination: {host: ratings}}]}]}}";
    const { register, start, send, clock, source } = await setup({ policy });
    await register("reviews", 3_001);
    await register("ratings", 3_002);
    await start();
    source.use = () => {};
    const aborted = send("reviews");
    const timed = send("ratings");
    await clock.advanceAsync(100);
    const timers = clock.pending;
    aborted.call.abort(new Error("no longer wanted"));
    await settle();
    expect([aborted.call.ended, clock.pending]).toEqual([true, timers - 1]);
    await clock.advanceAsync(150);
    expect([timed.call.status, timed.call.error]).toMatchObject([504, { code: "TIMEOUT" }]);
  });

  it("takes calls to any port until it knows better", async () => {
    const { register, start, engine, prepare, call } = await setup();
    await register("reviews", 3_001);
    await start();
    expect([engine.lookup("reviews", 3_999)?.name, engine.lookup("nobody", 80)]).toEqual([
      "reviews.shop.svc.cluster.local:3999",
      undefined,
    ]);
    const other = prepare("reviews", { port: 3_999 });
    engine.start(other.call);
    expect(await call("reviews")).toEqual([200, "10.0.0.1:3001"]);
    expect(engine.lookup("reviews", 3_999)).toBeUndefined();
    expect([other.exchange.events, other.call.error]).toEqual([["passThrough"], undefined]); // as every later one
  });

  it("refuses such a port where policy wants hosts to be known", async () => {
    const policy =
      '{apiVersion: networking.istio.io/v1, kind: Sidecar, metadata: {name: s}, spec: {egress: [{hosts: ["*/*"]}], outboundTrafficPolicy: {mode: REGISTRY_ONLY}}}';
    const { register, start, engine, prepare, clock } = await setup({ policy });
    await register("reviews", 3_001);
    await start();
    const { call } = prepare("reviews", { port: 3_999 });
    engine.start(call);
    await clock.advanceAsync(TELL_MS + 5);
    expect(call.error).toMatchObject({ code: "HOST_UNKNOWN" });
  });

  it("answers 503 for a service that turns out to have no instance that may be called", async () => {
    const { register, start, call, source, registry } = await setup();
    const handle = await register("reviews", 3_001);
    await start();
    expect(await call("reviews")).toEqual([200, "10.0.0.1:3001"]);
    await handle.remove();
    await settle();
    expect(await call("reviews")).toContain("the registry has none for it");
    expect([source.used, (await registry.list()).length]).toEqual([["shop/reviews"], 0]);
  });

  it("waits for each destination of a split that it draws, and for mirrors", async () => {
    const policy = `{apiVersion: networking.istio.io/v1, kind: VirtualService, metadata: {name: r}, spec: {hosts: [reviews], http: [{mirror: {host: shadow}, route: [{destination: {host: reviews-a}, weight: 50}, {destination: {host: reviews-b}, weight: 50}]}]}}`;
    const { register, start, call, source, network } = await setup({ policy });
    await register("reviews-a", 3_001);
    await register("reviews-b", 3_002);
    await register("shadow", 3_003);
    await start();
    const answers = [];
    for (let turn = 0; turn < 20; turn++) answers.push(await call("reviews"));
    expect(new Set(answers.map(([status]) => status))).toEqual(new Set([200]));
    expect(new Set(answers.map(([, id]) => id))).toEqual(new Set(["10.0.0.1:3001", "10.0.0.1:3002"]));
    expect([...source.used].sort()).toEqual(["shop/reviews-a", "shop/reviews-b", "shop/shadow"]);
    expect(network.seen("10.0.0.1:3003")).toBe(20);
  });

  it("waits for subsets of a declared service, and retries where an endpoint refuses", async () => {
    const policy = `{apiVersion: v1, kind: Service, metadata: {name: reviews}, spec: {selector: {app: reviews-app}, ports: [{port: 80, targetPort: 3001}]}}
---
{apiVersion: networking.istio.io/v1, kind: DestinationRule, metadata: {name: r}, spec: {host: reviews, subsets: [{name: v2, labels: {version: v2}}]}}
---
{apiVersion: networking.istio.io/v1, kind: VirtualService, metadata: {name: r}, spec: {hosts: [reviews], http: [{route: [{destination: {host: reviews, subset: v2}}], retries: {attempts: 2, retryOn: connect-failure}}]}}`;
    const { register, start, call, source, network } = await setup({ policy });
    const labels = { app: "reviews-app", version: "v2" };
    await register("reviews-app", 3_001, { instance: "a", labels });
    await register("reviews-app", 3_001, { instance: "b", labels, address: "10.0.0.2" });
    await register("reviews-app", 3_001, { instance: "c", labels: { ...labels, version: "v1" }, address: "10.0.0.3" });
    network.script("10.0.0.1:3001", refuses());
    await start();
    for (let turn = 0; turn < 5; turn++) expect(await call("reviews")).toEqual([200, "10.0.0.2:3001"]);
    expect(source.used).toEqual(["shop/reviews-app"]);
  });

  it("falls back on a service that nobody called before, when a breaker is open", async () => {
    const policy = `{apiVersion: inmesh.dev/v1alpha1, kind: CircuitBreaker, metadata: {name: b}, spec: {host: reviews, minRequests: 2, fallback: {destination: {host: stand-in}}}}`;
    const { register, start, call, source, network } = await setup({ policy });
    await register("reviews", 3_001);
    await register("stand-in", 3_002);
    network.script("10.0.0.1:3001", answers(500));
    await start();
    await loadOpossum();
    let last: unknown;
    for (let turn = 0; turn < 6; turn++) last = await call("reviews");
    expect(last).toEqual([200, "10.0.0.1:3002"]);
    expect(source.used).toEqual(["shop/reviews", "shop/stand-in"]);
  });

  it("rehearses with instances that it asks for, where it only observes", async () => {
    const { register, start, engine, clock, source } = await setup({ onlyObserves: true });
    await register("reviews", 3_001);
    await start();
    const request = {
      method: "GET",
      path: "/",
      authority: "reviews",
      scheme: "http",
      host: "reviews",
      port: 80,
      loopback: false,
      headers: [],
    };
    const watch = () => {
      const watched = engine.rehearsal.watch(request, {});
      watched?.answered(200, () => undefined);
      watched?.ended();
    };
    watch();
    await clock.advanceAsync(TELL_MS + 5);
    watch();
    expect(source.used).toEqual(["shop/reviews"]);
    expect(engine.clusters.all().map(({ states }) => states.length)).toEqual([1]);
    expect(engine.recorder.calls().map(({ would }) => would?.intent.outcome)).toEqual(["sent", "sent"]);
  });

  it("are the client's own, too, where calls are spread by how its own processes are", async () => {
    const policy =
      "{apiVersion: networking.istio.io/v1, kind: DestinationRule, metadata: {name: r}, spec: {host: reviews, trafficPolicy: {loadBalancer: {zoneAwareLbSetting: {}}}}}";
    const locality = { region: "eu", zone: "eu-1", subZone: "" };
    const { register, start, call, source } = await setup({ policy, locality });
    await register("reviews", 3_001);
    await register("web", 3_000);
    await start();
    expect(await call("reviews")).toEqual([200, "10.0.0.1:3001"]);
    expect([...source.used].sort()).toEqual(["shop/reviews", "shop/web"]);
  });

  it("are watched under mode observe as they are under policy", async () => {
    const policy = `{apiVersion: inmesh.dev/v1alpha1, kind: MeshMode, metadata: {name: m}, spec: {mode: observe}}
---
{apiVersion: networking.istio.io/v1, kind: VirtualService, metadata: {name: r}, spec: {hosts: [reviews], http: [{route: [{destination: {host: ratings}}]}]}}`;
    const { register, start, call, source, engine } = await setup({ policy });
    await register("reviews", 3_001);
    await register("ratings", 3_002);
    await start();
    expect(await call("reviews")).toEqual([200, "10.0.0.1:3001"]);
    expect(source.used).toEqual(["shop/reviews"]);
    const [would] = engine.recorder.calls().map(({ would }) => would?.intent);
    expect([would?.outcome, would?.destination?.host]).toEqual(["sent", "ratings.shop.svc.cluster.local"]);
  });

  it("are explained and listed without being used for it", async () => {
    const { register, start, engine, call, source, store } = await setup();
    await register("reviews", 3_001);
    await register("ratings", 3_001);
    await start();
    const seen = () => {
      const snapshot = store.current!; // published by `start`
      const { destinations, steps } = explain(snapshot, { method: "GET", url: "http://reviews/" });
      return {
        explained: [destinations[0]?.endpoints, destinations[0]?.pending, steps.at(-1)],
        services: snapshotView(snapshot, []).services.map(({ name, endpoints, pending }) => [name, endpoints, pending]),
        clusters: clustersView(engine).clusters.map(({ endpoints, pending }) => [endpoints.length, pending]),
      };
    };
    expect(seen()).toEqual({
      explained: [0, true, expect.stringContaining("whose instances the registry tells once it is called")],
      services: [
        ["ratings", 0, true],
        ["reviews", 0, true],
      ],
      clusters: [],
    });
    expect(source.used).toEqual([]);
    await call("reviews");
    expect(seen()).toEqual({
      explained: [1, undefined, expect.stringContaining("endpoints: 1")],
      services: [
        ["ratings", 0, true],
        ["reviews", 1, undefined],
      ],
      clusters: [[1, undefined]],
    });
  });

  it("costs nothing where the registry tells everything", async () => {
    const heard: ServiceRef[] = [];
    const { send, clock } = testEngine({ clusters: { reviews: ["10.0.0.1:80"] } }, { onUse: (ref) => heard.push(ref) });
    for (let turn = 0; turn < 3; turn++) {
      expect(send("reviews").call.attempts).toBe(1);
      await clock.advanceAsync(120_000);
    }
    expect(heard).toEqual([]);
  });

  it("are used from the first call on after the registry began to wait for that", async () => {
    const heard: ServiceRef[] = [];
    const endpoints = ["10.0.0.1:80"];
    const { send, publish } = testEngine({ clusters: { reviews: endpoints } }, { onUse: (ref) => heard.push(ref) });
    send("reviews");
    const knownAs = [{ namespace: "shop", service: "reviews" }];
    publish({ clusters: { reviews: { endpoints, told: { knownAs } } } });
    expect(heard).toEqual([]);
    send("reviews");
    send("reviews");
    expect(heard).toEqual(knownAs);
  });
});

describe("services that are in use before they are called", () => {
  const sidecar = (hosts: string) =>
    `{apiVersion: networking.istio.io/v1, kind: Sidecar, metadata: {name: default}, spec: {egress: [{hosts: [${hosts}]}]}}`;

  it("are those a Sidecar names, for as long as it does", async () => {
    const { register, start, source, registry, clock, call } = await setup({
      policy: sidecar('"./reviews.shop.svc.cluster.local"'),
    });
    await register("reviews", 3_001);
    await register("ratings", 3_002);
    await start();
    expect(source.used).toEqual(["shop/reviews"]);
    await clock.advanceAsync(10 * 3_600_000);
    expect(source.used).toEqual(["shop/reviews"]);
    expect(await call("reviews")).toEqual([200, "10.0.0.1:3001"]);
    await registry.apply(documents(sidecar('"./*"')));
    await clock.advanceAsync(70 * 60_000);
    expect(source.used).toEqual([]);
  });

  it("are those of an earlier run, whose instances the first snapshot has", async () => {
    const used = [{ namespace: "shop", service: "reviews", idleMs: 0 }];
    const { register, start, store, send, told } = await setup({ used });
    await register("reviews", 3_001);
    await register("ratings", 3_002);
    await start();
    expect(store.current?.version).toBe(1);
    expect(send("reviews").call.attempts).toBe(1); // nothing to wait for
    expect(told).toEqual(["shop/reviews"]);
  });

  it("are remembered for the next run, and forgotten when nobody called them for an hour of both", async () => {
    const used = [{ namespace: "shop", service: "reviews", idleMs: 50 * 60_000 }];
    const { register, start, call, clock, saved } = await setup({ used });
    await register("reviews", 3_001);
    await register("ratings", 3_002);
    await start();
    const remembered = () => saved.at(-1)?.used?.map(({ service, idleMs }) => `${service} ${idleMs / 60_000}`);
    expect(remembered()).toEqual(["reviews 50"]);
    await call("ratings");
    expect(remembered()).toEqual(["ratings 0", "reviews 50"]);
    await clock.advanceAsync(10 * 60_000);
    expect(remembered()?.map((text) => text.split(" ")[0])).toEqual(["ratings"]);
    await clock.advanceAsync(60 * 60_000);
    expect(remembered()).toEqual([]);
  });

  it("are at most 500, the most recently used", async () => {
    const used = Array.from({ length: 700 }, (_, index) => ({ namespace: "shop", service: `s${index}`, idleMs: 0 }));
    const { start, source, saved } = await setup({ used });
    await start();
    expect([source.used.length, saved.at(-1)?.used?.length]).toEqual([500, 500]);
  });
});
