import { compile, parseDocuments, validateDocument } from "@inmesh/model";
import { describe, expect, it } from "vitest";
import { virtualHostViews } from "../admin/routing-view.js";
import { explain } from "../explain/explain.js";
import { settle } from "../runtime/fake-clock.js";
import { lease } from "../testing/registry-cases.js";
import { testEngine } from "../testing/test-engine.js";
import { LazySource } from "./lazy-source.js";
import { MemoryRegistry } from "./memory-registry.js";
import { Pipeline } from "./pipeline.js";

const TELL_MS = 30;
const IDLE_MS = 3_600_000;

/** `reviews` has rules of its own, which send everybody to `v2.example`; `ratings` has none. */
const POLICY = `
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: { name: reviews, namespace: shop }
spec:
  hosts: [reviews]
  http: [{ directResponse: { status: 204 } }]
`;

/** A mesh whose registry tells policy for one service alone once that is in use, after a while. */
async function setup(
  options: { configWaitMs?: number; onlyObserves?: boolean; tellAfterMs?: number; mode?: string } = {},
) {
  const { tellAfterMs = TELL_MS, mode = "on", ...ofEngine } = options;
  const heard: string[] = [];
  const mesh = testEngine(undefined, {
    ...ofEngine,
    onUse: (service) => {
      heard.push(`${service.namespace}/${service.service}`);
      pipeline.use(service);
    },
  });
  const { clock, store } = mesh;
  const modes = `\n---\n{apiVersion: inmesh.dev/v1alpha1, kind: MeshMode, metadata: {name: m, namespace: shop}, spec: {mode: ${mode}}}`;
  const { documents } = parseDocuments(POLICY + (mode === "on" ? "" : modes), { file: "p.yaml", namespace: "shop" });
  const registry = new MemoryRegistry({ clock, documents });
  const ruled = ({ kind, namespace, name: service }: { kind: string; namespace: string; name: string }) =>
    kind === "VirtualService" ? { namespace, service } : undefined;
  const source = new LazySource({ source: registry, clock, tellAfterMs, ruled });
  const pipeline = new Pipeline({
    ...{ source, store, clock, validate: validateDocument, compile },
    client: { namespace: "shop", service: "web", labels: {} },
  });
  for (const [service, port] of [
    ["reviews", 3_001],
    ["ratings", 3_002],
  ] as const) {
    const ports = [{ number: port, name: "http" }];
    await registry.register({ ...lease(`i${port}`), service, address: "10.0.0.1", ports });
  }
  pipeline.start();
  await settle();
  return { ...mesh, source, heard };
}

describe("policy for one service alone that a registry tells by use", () => {
  it("is waited for by the first calls, and in force for them", async () => {
    const { send, clock, heard, source } = await setup();
    const [first, second] = [send("reviews"), send("reviews")];
    await clock.advanceAsync(TELL_MS - 1);
    expect([first.call.ended, heard]).toEqual([false, ["shop/reviews", "shop/reviews"]]);
    await clock.advanceAsync(2);
    expect([first.exchange.status, second.exchange.status]).toEqual([204, 204]);
    expect(send("reviews").exchange.status).toBe(204); // at once
    expect(source.used).toEqual(["shop/reviews"]);
  });

  it("is nothing to wait for where there is none", async () => {
    const { send, clock } = await setup();
    const { call } = send("ratings");
    await clock.advanceAsync(TELL_MS + 5);
    expect([call.attempt?.endpoint.endpoint.id, call.error]).toEqual(["10.0.0.1:3002", undefined]);
  });

  it("stays in use by calls that never get to the service's instances", async () => {
    const { send, clock, source, heard } = await setup();
    send("reviews");
    for (let hour = 0; hour < 3; hour++) {
      for (let part = 0; part < 4; part++) {
        await clock.advanceAsync(IDLE_MS / 4);
        const { exchange } = send("reviews");
        await clock.advanceAsync(1);
        expect(exchange.status).toBe(204);
      }
    }
    expect(source.used).toEqual(["shop/reviews"]);
    const said = heard.length;
    for (let turn = 0; turn < 100; turn++) send("reviews");
    expect(heard.length).toBe(said); // once in a while, not for every call
    await clock.advanceAsync(IDLE_MS + 1);
    expect(source.used).toEqual([]);
    const again = send("reviews");
    await clock.advanceAsync(TELL_MS + 5);
    expect(again.exchange.status).toBe(204);
  });

  it("fails calls with its reason when it does not come", async () => {
    const { send, clock } = await setup({ configWaitMs: 200, tellAfterMs: 1_000 });
    const { call, exchange } = send("reviews");
    await clock.advanceAsync(201);
    expect(String(call.error)).toMatch(/did not tell the rules of reviews\.shop\S* within 200 ms.*was not sent/);
    expect([exchange.status, call.attempts]).toEqual([0, 0]);
  });

  it("keeps no call that its caller gave up", async () => {
    const { send, clock } = await setup();
    const { call } = send("reviews");
    call.abort(new Error("gone"));
    expect(call.ended).toBe(true);
    await clock.advanceAsync(TELL_MS + 5);
    expect(String(call.error)).toContain("gone");
  });

  it("is not waited for where it would not apply", async () => {
    const { send, clock } = await setup({ mode: "off" });
    const { call, exchange } = send("reviews");
    await clock.advanceAsync(TELL_MS + 5);
    expect([exchange.status, call.attempt?.endpoint.endpoint.id]).toEqual([200, "10.0.0.1:3001"]);
  });

  it("is asked for by a process that only observes, whose requests leave at once", async () => {
    const { engine, clock, source } = await setup({ onlyObserves: true });
    const request = { method: "GET", scheme: "http", host: "reviews", port: 80, authority: "reviews", path: "/" };
    const watch = () => engine.rehearsal.watch({ ...request, headers: [], loopback: false }, {});
    expect(watch()).toBeUndefined();
    expect(source.used).toEqual(["shop/reviews"]);
    await clock.advanceAsync(TELL_MS + 5);
    expect(watch()).toBeDefined();
  });

  it("is said to be untold by whoever explains or shows it", async () => {
    const { store, send, clock } = await setup();
    const told = () => explain(store.current!, { url: "http://reviews/" });
    const shown = () => virtualHostViews(store.current!).find(({ name }) => name.startsWith("reviews."));
    expect(told()).toMatchObject({ outcome: "pending", status: null, route: null, destinations: [] });
    expect(told().steps.join()).toContain("the first call waits for them");
    expect(shown()).toMatchObject({ pending: true, routes: [] });
    send("reviews");
    await clock.advanceAsync(TELL_MS + 5);
    expect(told()).toMatchObject({ outcome: "directResponse", status: 204 });
    expect(shown()).not.toHaveProperty("pending");
  });
});
