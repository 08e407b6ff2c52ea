import { spawn } from "node:child_process";
import { once } from "node:events";
import { ConsulRegistry } from "@inmesh/consul";
import { type Lease, type LeaseSpec, systemClock } from "@inmesh/core";
import { FakeClock, lease, watched } from "@inmesh/core/testing";
import { parseDocuments } from "@inmesh/model";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type DevAgent, findConsul, startDevAgent } from "./peer/index.js";

const binary = findConsul("registration with a real Consul");
const MANAGEMENT = "5c9a1f0e-0000-4000-8000-000000000007";

interface Entry {
  readonly Service: { readonly ID: string; readonly Weights: object; readonly Tags: readonly string[] };
  readonly Checks: readonly { readonly CheckID: string; readonly Status: string }[];
}

describe.skipIf(binary === undefined)("a process in a real Consul", () => {
  let agent: DevAgent;
  let count = 0;

  beforeAll(async () => {
    agent = await startDevAgent(binary!, { managementToken: MANAGEMENT }); // not skipped: it is there
  });
  afterAll(async () => agent?.[Symbol.asyncDispose]());

  /** Of a service that no other test uses. */
  const fresh = (change: Partial<LeaseSpec> = {}): LeaseSpec => ({ ...lease("a"), service: `s${++count}`, ...change });
  const open = ({ clock = systemClock, token = MANAGEMENT, warnings = [] as string[] } = {}) =>
    new ConsulRegistry({
      target: { host: "127.0.0.1", port: agent.port, secure: false, token, prefix: "inmesh", namespace: "shop" },
      parse: parseDocuments,
      clock,
      onWarning: ({ message }) => warnings.push(message),
    });
  const tokenOf = async (name: string, rules: string): Promise<string> => {
    await agent.must("PUT", "/v1/acl/policy", { Name: name, Rules: rules });
    const made = await agent.must("PUT", "/v1/acl/token", { Policies: [{ Name: name }] });
    return (made as { readonly SecretID: string }).SecretID;
  };
  const entries = async (service: string, query = ""): Promise<readonly Entry[]> =>
    (await agent.must("GET", `/v1/health/service/${service}${query}`)) as readonly Entry[];
  const statusOf = async ({ service, namespace, instance }: LeaseSpec): Promise<string | undefined> => {
    const id = `${namespace}.${service}.${instance}`;
    const found = (await entries(service)).find(({ Service }) => Service.ID === id);
    return found?.Checks.find(({ CheckID }) => CheckID === `service:${id}`)?.Status;
  };
  const leasesOf = async (registry: ConsulRegistry, spec: LeaseSpec): Promise<readonly Lease[]> => {
    registry.use(spec);
    const { leases } = await watched(registry).until((view) => view.leases.length > 0);
    return leases;
  };

  it("is there with all it says, and Consul's own filters find it", async () => {
    await using registry = open();
    const spec = fresh({ weight: 7, tags: ["blue", "b"], labels: { version: "v2", "a/b": "ü", "consul-x": "1" } });
    await registry.registrar.register(spec);
    const found = await entries(spec.service, `?filter=${encodeURIComponent('Service.Meta.version == "v2"')}`);
    expect(found).toMatchObject([{ Service: { Weights: { Passing: 7, Warning: 1 }, Tags: ["blue", "b"] } }]);
    expect(await entries(spec.service, `?filter=${encodeURIComponent('Service.Meta.version == "v1"')}`)).toEqual([]);
    const [read] = await leasesOf(registry, spec);
    const { name, labels, ...rest } = read!; // one was waited for
    expect({ ...rest, labels: { ...labels } }).toEqual(spec);
  });

  it("holds the most that may be said: Consul takes every pair", async () => {
    await using registry = open();
    const many = Array.from({ length: 200 }, (_, index) => [`label-${index}`, "é".repeat(index % 8)] as const);
    const labels = { ...Object.fromEntries(many), full: "é".repeat(256), long: "é".repeat(500), "": " \u0000\n" };
    const spec = fresh({ labels, address: "fd00::7", admin: "http://[fd00::7]:9901" });
    await registry.registrar.register(spec);
    const [read] = await leasesOf(registry, spec);
    expect({ ...read?.labels }).toEqual(spec.labels);
    expect([read?.address, read?.admin]).toEqual([spec.address, spec.admin]);
  });

  it("turns critical when its event loop stands still, and passing when it goes on", async () => {
    const clock = new FakeClock(); // the loop that renews, as far as the registrar can tell
    await using registry = open({ clock });
    const spec = fresh({ ttlMs: 1_000 });
    const handle = await registry.registrar.register(spec);
    expect(await statusOf(spec)).toBe("passing");
    await expect.poll(() => statusOf(spec), { timeout: 5_000 }).toBe("critical");
    clock.advance(400);
    await expect.poll(() => statusOf(spec), { timeout: 5_000 }).toBe("passing");
    const removal = handle.remove();
    await expect.poll(() => statusOf(spec), { timeout: 5_000 }).toBe("critical"); // its farewell
    await expect.poll(() => clock.pending, { interval: 2 }).toBe(1);
    clock.advance(300);
    await removal;
    expect(await statusOf(spec)).toBeUndefined();
  });

  it("says farewell when it is told to leave, and a reader hears of it well before a drain stops waiting; then it goes", async () => {
    const clock = new FakeClock(); // of the one that leaves
    await using registry = open({ clock });
    await using other = open();
    const spec = fresh();
    const handle = await registry.registrar.register(spec);
    other.use(spec);
    const reader = watched(other);
    await reader.until(({ leases }) => leases.length === 1);
    const leftAt = performance.now();
    const removal = handle.remove();
    const { leases } = await reader.until((view) => view.leases.every(({ healthy }) => healthy === false));
    expect(leases).toMatchObject([{ leaving: true }]); // by which it is told from what an agent forgot
    expect(performance.now() - leftAt).toBeLessThan(1_000); // propagationDelayMs
    await expect.poll(() => clock.pending, { interval: 2 }).toBe(1);
    clock.advance(300);
    await Promise.all([removal, reader.until((view) => view.leases.length === 0)]);
    await handle.remove();
    expect(await entries(spec.service)).toEqual([]);
  });

  it("moves from where callers are to its service when it begins to listen, and back", async () => {
    await using registry = open();
    const spec = fresh({ ports: [] });
    const id = `${spec.namespace}.${spec.service}.a`;
    const ids = async (service: string) => (await entries(service)).map(({ Service }) => Service.ID);
    const handle = await registry.registrar.register(spec);
    expect(await ids("inmesh-callers")).toContain(id);
    await handle.update({ ports: [{ name: "http", number: 80 }] });
    await expect.poll(() => ids(spec.service)).toEqual([id]);
    expect(await ids("inmesh-callers")).not.toContain(id);
    await handle.update({ ports: [] });
    await expect.poll(() => ids(spec.service)).toEqual([]);
    expect(await statusOf({ ...spec, service: spec.service })).toBeUndefined();
  });

  it("is one of many on a host, some of which share a port", async () => {
    await using registry = open();
    const spec = fresh();
    const workers = Array.from({ length: 30 }, (_, index) => ({ ...spec, instance: `worker-${index}` }));
    const handles = await Promise.all(workers.map((worker) => registry.registrar.register(worker)));
    const leases = await leasesOf(registry, spec);
    expect([leases.length, new Set(leases.map(({ address, ports }) => `${address}:${ports[0]?.number}`)).size]).toEqual(
      [30, 1],
    );
    await Promise.all(handles.slice(1).map((handle) => handle.remove()));
    await expect.poll(async () => (await entries(spec.service)).length).toBe(1);
  });

  it("removes what its killed predecessor left", async () => {
    await using registry = open();
    await using before = open();
    const child = spawn(process.execPath, ["-e", "setInterval(() => {}, 1000)"], { stdio: "ignore" });
    const spec = fresh();
    await before.registrar.register({ ...spec, instance: "before", pid: child.pid! }); // it was spawned
    child.kill("SIGKILL");
    await once(child, "exit");
    await registry.registrar.register(spec);
    const instances = async () => (await entries(spec.service)).map(({ Service }) => Service.ID);
    await expect.poll(instances).toEqual([`shop.${spec.service}.a`]);
  });

  it("needs service:write on its own name and no more, says so without it, and is there once it has it", async () => {
    const spec = fresh();
    const rules = (service: string) => `service "${service}" { policy = "write" }`;
    const token = await tokenOf(spec.service, rules(`${spec.service}-other`));
    const warnings: string[] = [];
    await using registry = open({ token, warnings });
    const handle = await registry.registrar.register(spec);
    expect(warnings).toEqual([expect.stringMatching(/is not registered: .* answered 403: Permission denied/)]);
    expect(warnings[0]).not.toContain(token);
    const policies = (await agent.must("GET", "/v1/acl/policies")) as { readonly ID: string; readonly Name: string }[];
    const id = policies.find(({ Name }) => Name === spec.service)?.ID;
    await agent.must("PUT", `/v1/acl/policy/${id}`, { ID: id, Name: spec.service, Rules: rules(spec.service) });
    await expect.poll(() => statusOf(spec), { timeout: 10_000 }).toBe("passing");
    expect(await registry.registrar.agentAddress()).toBeUndefined(); // agent:read
    const left = { ...spec, instance: "left", pid: 999_999_999 };
    await registry.registrar.register(left);
    await registry.registrar.register({ ...spec, instance: "b" });
    await expect.poll(async () => (await entries(spec.service)).length).toBe(2);
    await handle.remove();
    await expect.poll(async () => (await entries(spec.service)).length).toBe(1);
    expect(warnings).toHaveLength(1);
  });

  it("is back within ten seconds of the return of an agent that lost its state, also when it was away long", async () => {
    const warnings: string[] = [];
    await using registry = open({ warnings });
    const specs = [fresh(), fresh({ ttlMs: 60_000 }), fresh({ ports: [] })];
    for (const spec of specs) await registry.registrar.register(spec);
    await agent.kill();
    await expect.poll(() => warnings.length, { timeout: 10_000 }).toBe(1);
    agent.start();
    await agent.ready();
    const backAt = performance.now();
    for (const spec of specs.slice(0, 2)) await expect.poll(() => statusOf(spec), { timeout: 10_000 }).toBe("passing");
    await expect.poll(async () => (await entries("inmesh-callers")).length, { timeout: 10_000 }).toBe(1);
    expect(performance.now() - backAt).toBeLessThan(10_000);
    expect(warnings[0]).toMatch(
      /is not registered: consul:\/\/127\.0\.0\.1:\d+\?namespace=shop: .*it is tried again until then\.$/,
    );
    await expect.poll(() => registry.registrar.problem).toBeUndefined();
  });
});
