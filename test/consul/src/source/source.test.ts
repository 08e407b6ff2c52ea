import { ConsulRegistry, parseConsulUrl } from "@inmesh/consul";
import type { RegistryView } from "@inmesh/core";
import { parseDocuments } from "@inmesh/model";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { equals, eventually } from "../eventually.js";
import { type ConsulProcess, type DevAgent, findConsul, freePorts, isAtLeast, startDevAgent } from "../peer/index.js";

const binary = findConsul("what a process reads of a real Consul, and how soon");
const MANAGEMENT = "0f6a3f3e-0000-4000-8000-00000000cafe";
/** The issue's bound for a change of one instance, on loopback. */
const SOON_MS = 250;
const CHANGES = 12;

interface Watched {
  readonly registry: ConsulRegistry;
  readonly view: () => RegistryView | undefined;
  /** Ports of healthy instances of a service. */
  readonly ports: (service: string) => readonly number[];
}

const open: ConsulRegistry[] = [];
afterEach(async () => {
  for (const registry of open.splice(0)) await registry.close();
});

function watch(consul: ConsulProcess, { token = "", query = "", use = "" } = {}): Watched {
  const target = parseConsulUrl(`consul://${token && `${token}@`}127.0.0.1:${consul.port}?${query}`, {});
  const registry = new ConsulRegistry({ target, parse: parseDocuments });
  open.push(registry);
  let view: RegistryView | undefined;
  if (use !== "") registry.use({ namespace: "default", service: use });
  registry.watch((next) => {
    view = next;
  });
  const ports = (service: string): readonly number[] =>
    (view?.workloads ?? [])
      .filter((workload) => workload.service === service && workload.healthy)
      .flatMap((workload) => workload.ports.map(({ number }) => number))
      .sort();
  return { registry, view: () => view, ports };
}

const register = (consul: ConsulProcess, name: string, port: number, more: object = {}): Promise<unknown> =>
  consul.must("PUT", "/v1/agent/service/register", { Name: name, ID: `${name}-${port}`, Port: port, ...more });
const deregister = (consul: ConsulProcess, name: string, port: number): Promise<unknown> =>
  consul.must("PUT", `/v1/agent/service/deregister/${name}-${port}`);

describe.skipIf(binary === undefined)("what a process reads of a real Consul", () => {
  let agent: DevAgent;
  beforeAll(async () => {
    agent = await startDevAgent(binary!); // skipped without one
  });
  afterAll(() => agent?.[Symbol.asyncDispose]());

  it("has each change of an instance within a quarter of a second, and keeps the others' objects", async () => {
    await register(agent, "quick", 7_000);
    const { view, ports } = watch(agent, { use: "quick" });
    await eventually(() => ports("quick"), equals([7_000]));
    const [first] = view()?.workloads ?? [];
    const took: number[] = [];
    for (let change = 0; change < CHANGES; change++) {
      const port = 7_001 + (change >> 1);
      const [change1, expected] =
        change % 2 === 0 ? ([register, [7_000, port]] as const) : ([deregister, [7_000]] as const);
      const began = performance.now();
      await change1(agent, "quick", port);
      await eventually(() => ports("quick"), equals(expected));
      took.push(performance.now() - began);
    }
    // Changes follow one another without a pause, which is more than one watch may ask for in the long run.
    const [median = 0] = took.sort((a, b) => a - b).slice(CHANGES >> 1);
    console.log(`a change is seen after ${median.toFixed(0)} ms in the middle, ${took.at(-1)?.toFixed(0)} ms at most`);
    expect(median).toBeLessThan(SOON_MS);
    expect(view()?.workloads?.find(({ ports: [port] }) => port?.number === 7_000)).toBe(first);
  });

  it("follows checks, maintenance and weights", async () => {
    const check = { TTL: "60s", Status: "passing" };
    await register(agent, "well", 7_100, { Check: check, Weights: { Passing: 9, Warning: 2 } });
    const { view } = watch(agent, { use: "well" });
    const state = (): string => (view()?.workloads ?? []).map(({ weight, healthy }) => `${weight} ${healthy}`).join();
    await eventually(state, equals("9 true"));
    await agent.must("PUT", "/v1/agent/check/warn/service:well-7100");
    await eventually(state, equals("2 true"));
    await agent.must("PUT", "/v1/agent/check/fail/service:well-7100");
    await eventually(state, (text) => expect(text).toMatch(/false/));
    await agent.must("PUT", "/v1/agent/check/pass/service:well-7100");
    await eventually(state, equals("9 true"));
    await agent.must("PUT", "/v1/agent/service/maintenance/well-7100?enable=true");
    await eventually(state, (text) => expect(text).toMatch(/false/));
  });

  it("has a first config entry of a kind within seconds, and its changes at once", async () => {
    const { view } = watch(agent);
    await eventually(view, (seen) => expect(seen).toBeDefined());
    const seen = (): string => JSON.stringify(view()?.documents.map(({ value }) => value) ?? []);
    const resolver = (seconds: number): object => ({
      Kind: "service-resolver",
      Name: "steered",
      ConnectTimeout: `${seconds}s`,
    });
    await agent.must("PUT", "/v1/config", resolver(7));
    await eventually(seen, (text) => expect(text).toContain('"connectTimeout":"7s"'));
    const began = performance.now();
    await agent.must("PUT", "/v1/config", resolver(8));
    await eventually(seen, (text) => expect(text).toContain('"connectTimeout":"8s"'));
    expect(performance.now() - began).toBeLessThan(2_000); // what is looked at now and then would take up to five
    await agent.must("DELETE", "/v1/config/service-resolver/steered");
    await eventually(seen, equals("[]"));
  });

  it("shows a prepared query as a service", async () => {
    await register(agent, "asked", 7_200);
    await agent.must("POST", "/v1/query", { Name: "near", Service: { Service: "asked" } });
    const { registry, ports } = watch(agent, { query: "queries=near", use: "near" });
    await eventually(() => ports("near"), equals([7_200]));
    expect(registry.status.state).toBe("fresh");
    expect(ports("asked")).toEqual([]);
  });

  it("lets a process end that has nothing else to do", async () => {
    const { registry } = watch(agent, { use: "quick" });
    await eventually(() => registry.status.state, equals("fresh"));
    const active = process.getActiveResourcesInfo().filter((kind) => kind === "TCPSocketWrap").length;
    const { registry: other } = watch(agent, { use: "well" });
    await eventually(() => other.status.state, equals("fresh"));
    expect(process.getActiveResourcesInfo().filter((kind) => kind === "TCPSocketWrap").length).toBeLessThanOrEqual(
      active,
    );
  });
});

describe.skipIf(binary === undefined)("what a process reads of a Consul with ACLs", () => {
  let agent: DevAgent;
  beforeAll(async () => {
    agent = await startDevAgent(binary!, { managementToken: MANAGEMENT }); // skipped without one
  });
  afterAll(() => agent?.[Symbol.asyncDispose]());

  const reads = (prefix: string): string => `key_prefix "${prefix}" { policy = "read" }`;
  const RULES = {
    node: 'node_prefix "" { policy = "read" }',
    key: `${reads("inmesh/policy/")} ${reads("inmesh/services/")}`,
  };
  const service = (name: string): string => `service "${name}" { policy = "read" }`;
  const role = async (name: string, ...rules: string[]) => {
    const body = (all: readonly string[]): object => ({ Name: name, Rules: all.join("\n") });
    const { ID } = (await agent.must("PUT", "/v1/acl/policy", body(rules))) as { ID: string };
    const made = (await agent.must("PUT", "/v1/acl/token", { Policies: [{ ID }] })) as Record<string, string>;
    return {
      token: made["SecretID"] ?? "",
      allow: (...next: string[]) => agent.must("PUT", `/v1/acl/policy/${ID}`, { ID, ...body(next) }),
      revoke: () => agent.must("DELETE", `/v1/acl/token/${made["AccessorID"]}`),
    };
  };

  it("takes nothing for gone that the token may not see any more, and says which right is missing", async () => {
    await register(agent, "guarded", 7_300);
    const { token, allow } = await role("guarded", RULES.node, RULES.key, service("guarded"));
    const { registry, ports } = watch(agent, { token, use: "guarded" });
    await eventually(() => ports("guarded"), equals([7_300]));
    await allow(RULES.key);
    await register(agent, "guarded", 7_301); // what is held is answered now: with nothing
    const said = (): string => registry.status.reason ?? "";
    // A streamed answer is not even sent: there is nothing that the token may see, until the wait is over.
    if (!isAtLeast(binary!, "1.10"))
      await eventually(said, (text) => expect(text).toMatch(/may not read (service "guarded"|node "n1")/));
    expect(said()).not.toContain(token);
    expect(ports("guarded")).toEqual([7_300]);
    await allow(RULES.node, RULES.key, service("guarded"));
    await eventually(() => ports("guarded"), equals([7_300, 7_301]));
    await deregister(agent, "guarded", 7_300);
    await deregister(agent, "guarded", 7_301);
    await eventually(() => ports("guarded"), equals([])); // gone for those who may see it
    await eventually(() => registry.status.state, equals("fresh"));
  });

  it("shows nothing while the token may not read policy", async () => {
    const { token, allow } = await role("blind", RULES.node, service("guarded"));
    const { registry, view } = watch(agent, { token });
    await eventually(
      () => registry.status.reason ?? "",
      (text) => expect(text).toMatch(/inmesh\/policy\/|403/),
    );
    expect(view()).toBeUndefined();
    await allow(RULES.key);
    await eventually(() => registry.status.state, equals("fresh"));
    expect(view()?.documents).toEqual([]);
  });

  it("says within seconds that its token was revoked, and keeps what it has", async () => {
    await register(agent, "kept", 7_400);
    const { token, revoke } = await role("kept", RULES.node, RULES.key, service("kept"));
    const { registry, ports } = watch(agent, { token, use: "kept" });
    await eventually(() => ports("kept"), equals([7_400]));
    await revoke();
    await eventually(
      () => registry.status.reason ?? "",
      (text) => expect(text).toMatch(/403: ACL not found/),
      12_000,
    );
    expect(registry.status.reason).not.toContain(token);
    expect(ports("kept")).toEqual([7_400]);
  });
});

describe.skipIf(binary === undefined)("what a process reads of two datacenters", () => {
  const agents: DevAgent[] = [];
  beforeAll(async () => {
    let wan = 0;
    for (const datacenter of ["dc1", "dc2"]) {
      const [http = 0, grpc = 0, server = 0, serf_lan = 0, serf_wan = 0] = await freePorts(5);
      const ports = { http, https: -1, grpc, dns: -1, server, serf_lan, serf_wan };
      const join = wan === 0 ? {} : { retry_join_wan: [`127.0.0.1:${wan}`], retry_interval_wan: "1s" };
      agents.push(await startDevAgent(binary!, { node: datacenter, datacenter, configuration: { ports, ...join } })); // skipped without one
      wan = serf_wan;
    }
  });
  afterAll(async () => {
    for (const agent of agents) await agent[Symbol.asyncDispose]();
  });

  it("has those of the other one behind a service whose resolver fails over to it", async () => {
    const [near, far] = agents as [DevAgent, DevAgent];
    await eventually(
      async () => (await near.ask("GET", "/v1/catalog/datacenters")).body,
      (names) => expect(names).toHaveLength(2),
    );
    await register(near, "web", 7_500);
    await register(far, "web", 7_501, { TaggedAddresses: { wan: { Address: "127.0.0.9", Port: 7_502 } } });
    const { view, ports, registry } = watch(near, { use: "web" });
    await eventually(() => ports("web"), equals([7_500]));
    const resolver = { Kind: "service-resolver", Name: "web", Failover: { "*": { Datacenters: ["dc2"] } } };
    await near.must("PUT", "/v1/config", resolver);
    await eventually(() => ports("web"), equals([7_500, 7_502]));
    const found = view()?.workloads?.find(({ ports: [port] }) => port?.number === 7_502);
    expect(found).toMatchObject({ address: "127.0.0.9", locality: { region: "dc2" } });
    expect(view()?.documents.some(({ kind }) => kind === "DestinationRule")).toBe(true);
    expect(registry.status.state).toBe("fresh");
    await deregister(far, "web", 7_501);
    await eventually(() => ports("web"), equals([7_500]));
  });
});
