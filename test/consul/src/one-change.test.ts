import { monitorEventLoopDelay } from "node:perf_hooks";
import { setTimeout as delay } from "node:timers/promises";
import { ConsulRegistry } from "@inmesh/consul";
import type { RegistryView } from "@inmesh/core";
import type { Workload } from "@inmesh/model";
import { parseDocuments } from "@inmesh/model";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { equals, eventually } from "./eventually.js";
import { targetOf } from "./hostile/watched-shop.js";
import { type DevAgent, findConsul, Relay, startDevAgent } from "./peer/index.js";

const binary = findConsul("how far and how fast one change goes");
const SERVICES = ["a", "b", "c", "d", "e"];
const INSTANCES = 10;
const READERS = 20;
/** Of the issue. */
const MOST_MS = 250;
/** A machine that lets this process wait for so long says nothing of the mesh. */
const OUT_OF_BREATH_MS = 100;
/** Every question is held. */
const QUIET_MS = 700;
/** One change each second or so: a watch asks at once after the first few. */
const CHANGES = 6;

let agent: DevAgent;

beforeAll(async () => {
  if (binary === undefined) return;
  agent = await startDevAgent(binary, { configuration: { limits: { http_max_conns_per_client: 2_000 } } });
  const all = SERVICES.flatMap((service) => Array.from({ length: INSTANCES }, (_, n) => put(service, n, "0")));
  await Promise.all(all);
});
afterAll(() => agent?.[Symbol.asyncDispose]());

async function put(service: string, n: number, version: string): Promise<void> {
  const instance = { ID: `${service}-${n}`, Name: service, Address: "127.0.0.1", Port: 9_000 + n, Meta: { version } };
  await agent.must("PUT", "/v1/agent/service/register", instance);
}

function use(registry: ConsulRegistry, listener: (view: RegistryView) => void): void {
  for (const service of SERVICES) registry.use({ namespace: "default", service });
  registry.watch(listener);
}

const of = (view: RegistryView | undefined, service: string): readonly Workload[] =>
  (view?.workloads ?? []).filter((workload) => workload.service === service);
const versions = (view: RegistryView | undefined, service: string): string[] =>
  of(view, service).map(({ labels }) => labels["version"] ?? "");

describe.skipIf(binary === undefined)("a change of one instance", () => {
  it("is one answer, one view and one new object: nothing else is asked for, told or made again", async () => {
    await using relay = await Relay.start(agent.port);
    await using registry = new ConsulRegistry({ target: targetOf(relay.port), parse: parseDocuments });
    const views: RegistryView[] = [];
    use(registry, (view) => views.push(view));
    await eventually(() => views.at(-1)?.workloads?.length, equals(SERVICES.length * INSTANCES));
    await eventually(() => performance.now() - (relay.requests.at(-1)?.at ?? 0) > QUIET_MS, equals(true));
    const before = views.at(-1)!; // just seen
    const [seen, at] = [views.length, performance.now()];
    await put("c", 4, "1");
    await eventually(() => versions(views.at(-1), "c").includes("1"), equals(true));
    const after = views.at(-1)!; // just seen
    expect(views.length - seen).toBe(1);
    const fresh = (after.workloads ?? []).filter((workload) => !before.workloads?.includes(workload));
    expect(fresh.map(({ name }) => name)).toEqual(["dc1/n1/c-4"]);
    expect([after.documents, after.services]).toEqual([before.documents, before.services]);
    // Consul wakes the question for names at any change of an instance; the last one is the look whether the registry is well.
    const askedNow = () => new Set(relay.since(at).map(({ path }) => path));
    await eventually(askedNow, (asked) => expect(asked).toContain("/v1/health/service/c")); // the next one may be on its way
    const asked = askedNow();
    for (const path of asked)
      expect(path).toMatch(/^\/v1\/(health\/service\/c|catalog\/services|kv\/inmesh\/policy\/)$/);
  });

  it(`reaches ${READERS} readers within ${MOST_MS} ms`, async () => {
    const readers = Array.from(
      { length: READERS },
      () => new ConsulRegistry({ target: targetOf(agent.port), parse: parseDocuments }),
    );
    const last = new Map<ConsulRegistry, RegistryView>();
    const heard = new Map<ConsulRegistry, number>();
    let wanted = "";
    for (const reader of readers) {
      use(reader, (view) => {
        last.set(reader, view);
        if (!heard.has(reader) && versions(view, "a").includes(wanted)) heard.set(reader, performance.now());
      });
    }
    try {
      await eventually(() => readers.every((reader) => of(last.get(reader), "a").length === INSTANCES), equals(true));
      const times: number[] = [];
      const lateness = monitorEventLoopDelay({ resolution: 5 });
      lateness.enable();
      for (let change = 1; change <= CHANGES; change++) {
        await delay(500);
        heard.clear();
        wanted = `v${change}`;
        const at = performance.now();
        await put("a", change, wanted);
        await eventually(() => heard.size, equals(READERS));
        times.push(...[...heard.values()].map((each) => each - at));
      }
      lateness.disable();
      times.sort((a, b) => a - b);
      const quantile = (q: number): number => times[Math.min(times.length - 1, Math.floor(q * times.length))] ?? 0;
      const late = lateness.max / 1e6;
      console.log(
        `a change is with ${READERS} readers after p50 ${quantile(0.5).toFixed(0)} ms, p99 ${quantile(0.99).toFixed(0)} ms; this machine stood still for ${late.toFixed(0)} ms`,
      );
      if (late > OUT_OF_BREATH_MS) return console.warn("not judged: the machine is out of breath");
      expect(quantile(0.99)).toBeLessThan(MOST_MS);
    } finally {
      await Promise.all(readers.map((reader) => reader.close()));
    }
  });
});
