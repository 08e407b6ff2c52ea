import type { LeaseSpec } from "@inmesh/core";
import type { Host } from "@inmesh/core/internal";
import { FakeClock, lease, seededRandom, settle } from "@inmesh/core/testing";
import { describe, expect, it } from "vitest";
import { ConsulRegistrar } from "./consul-registrar.js";
import { ScriptedAgent } from "./scripted-agent.test.helper.js";

const HERE: Host = { id: "here", exists: (pid) => pid < 1_000, startOf: (pid) => (pid < 1_000 ? `s${pid}` : "") };
const TTL_MS = 15_000;
const ID = "shop.reviews.a";
const spec: LeaseSpec = { ...lease("a"), pid: 7, ttlMs: TTL_MS };

async function open() {
  const agent = await ScriptedAgent.start();
  const clock = new FakeClock();
  const warnings: string[] = [];
  const ends: (() => void)[] = [];
  const registrar = new ConsulRegistrar({
    ...{ client: agent.client, clock, random: seededRandom(1), host: HERE },
    onWarning: ({ code, message }) => warnings.push(`${code} ${message}`),
    onIdle: (fn) => {
      ends.push(fn);
      return () => void ends.splice(0);
    },
  });
  return { agent, clock, warnings, registrar, ends };
}

const count = (agent: ScriptedAgent, part: string) => agent.requests.filter((line) => line.includes(part)).length;

describe("ConsulRegistrar", () => {
  it("registers a service with weights, meta and a passing check that lives as long as the lease", async () => {
    const { agent, registrar } = await open();
    await using _ = agent;
    await registrar.register({ ...spec, weight: 3 });
    expect(agent.services.get(ID)).toMatchObject({
      Name: "reviews--shop",
      Weights: { Passing: 3, Warning: 1 },
      Meta: { version: "v1", "inmesh-host": "here", "inmesh-pid-started": "s7" },
      Check: {
        CheckID: "service:shop.reviews.a",
        TTL: "15000ms",
        Status: "passing",
        DeregisterCriticalServiceAfter: "60000ms",
      },
    });
  });

  it.each([
    [500, "1000ms", "60000ms"],
    [60_000, "60000ms", "240000ms"],
  ])("asks of Consul what it can do: a lease of %s ms", async (ttlMs, ttl, after) => {
    const { agent, registrar } = await open();
    await using _ = agent;
    await registrar.register({ ...spec, ttlMs });
    expect(agent.services.get(ID)?.Check).toMatchObject({ TTL: ttl, DeregisterCriticalServiceAfter: after });
  });

  it("renews three times per lifetime, and every five seconds when that is long", async () => {
    for (const [ttlMs, expected] of [
      [3_000, 3],
      [60_000, 12],
    ] as const) {
      const { agent, clock, registrar } = await open();
      await using _ = agent;
      await registrar.register({ ...spec, ttlMs });
      const start = clock.now();
      let renewals = 0;
      for (; clock.nextAt <= start + ttlMs; ) {
        clock.step();
        await agent.came("/check/pass/", ++renewals);
        await idle(clock, 1);
      }
      expect(renewals).toBeGreaterThanOrEqual(expected);
      expect(renewals).toBeLessThanOrEqual(Math.ceil(expected * 1.15));
      expect(count(agent, "/register")).toBe(1);
    }
  });

  it.each([
    ["an old agent that says 500", 500],
    ["a newer one that says 404", 404],
  ])("registers again at once with %s", async (_, status) => {
    const { agent, clock, registrar, warnings } = await open();
    await using _agent = agent;
    await registrar.register(spec);
    agent.forget();
    agent.broken = (line) =>
      line.includes("/check/pass/") && agent.services.size === 0 ? { status, text: "Unknown check ID" } : undefined;
    clock.advance(5_000);
    await agent.came("/register", 2);
    expect([...agent.services.keys()]).toEqual([ID]);
    expect(warnings).toEqual([]);
  });

  it("goes on when the agent is away at the start, says so once, and is there within five seconds of its return", async () => {
    const { agent, clock, registrar, warnings } = await open();
    await using _ = agent;
    agent.broken = () => "cut";
    const handle = await registrar.register(spec);
    for (let failures = 2; failures < 8; failures++) {
      clock.step();
      await agent.came("/register", failures);
      await idle(clock, 1);
    }
    expect(warnings).toHaveLength(1);
    expect(warnings[0]).toMatch(
      /^IM0704 instance shop\.reviews\.a is not registered: consul:\/\/127\.0\.0\.1:\d+: .* tried again until then\.$/,
    );
    expect(warnings[0]).not.toContain("s3cret");
    expect(registrar.problem?.code).toBe("IM0704");
    expect(handle.failures).toBe(7);
    agent.broken = undefined;
    expect(clock.nextAt - clock.now()).toBeLessThanOrEqual(5_000);
    clock.step();
    await agent.came("/register", 8);
    await expect.poll(() => registrar.problem).toBeUndefined();
    await ended(clock, handle.remove());
    expect([...agent.services.keys()]).toEqual([]);
  });

  it("keeps nobody waiting for an agent that takes the question and never answers", async () => {
    const { agent, clock, registrar } = await open();
    await using _ = agent;
    agent.broken = () => "never";
    const registering = registrar.register(spec);
    await agent.came("/register");
    clock.advance(2_000);
    const handle = await registering;
    agent.broken = undefined;
    await handle.remove(); // ends the question under way
    expect(count(agent, "/deregister/")).toBe(1);
    expect(clock.pending).toBe(0);
  });

  it("says which permission is missing, and tells again after it had worked in between", async () => {
    const { agent, clock, registrar, warnings } = await open();
    await using _ = agent;
    const refused = { status: 403, text: "Permission denied: Missing service:write on reviews--shop" };
    agent.broken = (line) => (line.includes("/services") ? undefined : refused);
    await registrar.register(spec);
    expect(warnings).toHaveLength(1);
    expect(warnings[0]).toContain(
      `instance ${ID} is not registered: ${agent.client.shown} answered 403: ${refused.text}`,
    );
    agent.broken = undefined;
    await renewed(clock, () => registrar.problem === undefined);
    agent.broken = (line) => (line.includes("/services") ? undefined : refused);
    await renewed(clock, () => registrar.problem !== undefined);
    expect(warnings).toHaveLength(2);
  });

  it("changes in place what the lease says, and keeps its name", async () => {
    const { agent, registrar } = await open();
    await using _ = agent;
    const handle = await registrar.register({ ...spec, ports: [] });
    expect(agent.services.get(ID)?.Name).toBe("inmesh-callers");
    await handle.update({ ports: spec.ports, labels: { version: "v2" }, instance: "b" });
    expect(agent.services.get(ID)).toMatchObject({ Name: "reviews--shop", Meta: { version: "v2" } });
    expect(agent.services.size).toBe(1);
  });

  it("refuses an update that Consul cannot hold, and what stood before stands", async () => {
    const { agent, clock, registrar } = await open();
    await using _ = agent;
    const handle = await registrar.register(spec);
    const labels = Object.fromEntries(Array.from({ length: 100 }, (_each, index) => [`l${index}`, "x".repeat(500)]));
    await expect(handle.update({ labels })).rejects.toMatchObject({ code: "CONFIG_INVALID" });
    agent.forget();
    clock.advance(5_000);
    await agent.came("/register", 2);
    expect(agent.services.get(ID)?.Meta["version"]).toBe("v1");
  });

  it("removes once, does not come back, and leaves no timer", async () => {
    const { agent, clock, registrar } = await open();
    await using _ = agent;
    const handle = await registrar.register(spec);
    void handle.update({ labels: { version: "v2" } });
    await ended(clock, handle.remove(), handle.remove());
    await handle.update({ labels: { version: "v3" } });
    expect([agent.services.size, count(agent, "/deregister/"), clock.pending]).toEqual([0, 1, 0]);
  });

  it("says farewell before it deregisters, and stays for readers to hear of it; callers, whom nobody calls, just go", async () => {
    const { agent, clock, registrar } = await open();
    await using _ = agent;
    const [serving, caller] = [
      await registrar.register(spec),
      await registrar.register({ ...spec, instance: "b", ports: [] }),
    ];
    await caller.remove();
    expect(count(agent, "/check/fail/")).toBe(0);
    const removal = serving.remove();
    await idle(clock, 1);
    expect(agent.requests.at(-1)).toBe(
      `PUT /v1/agent/check/fail/service%3A${ID}?note=leaving%3A%20the%20process%20takes%20itself%20out`,
    );
    clock.advance(299);
    expect([...agent.services.keys()]).toEqual([ID]);
    clock.advance(1);
    await removal;
    expect([...agent.services.keys()]).toEqual([]);
  });

  it("deregisters at once where no farewell can be said", async () => {
    const { agent, registrar } = await open();
    await using _ = agent;
    const handle = await registrar.register(spec);
    agent.broken = (line) => (line.includes("/fail/") ? { status: 500, text: "" } : undefined);
    await handle.remove();
    expect([...agent.services.keys()]).toEqual([]);
  });

  it("tries again to deregister, and gives up in time with a word on what happens then", async () => {
    const { agent, clock, registrar, warnings } = await open();
    await using _ = agent;
    const handle = await registrar.register(spec);
    agent.broken = (line) => (line.includes("/deregister/") ? { status: 500, text: "No cluster leader" } : undefined);
    const removing = handle.remove();
    await idle(clock, 1);
    clock.step(); // readers have heard the farewell
    for (let tries = 1; ; tries++) {
      await agent.came("/deregister/", tries);
      await expect.poll(() => clock.pending + warnings.length).toBe(1);
      if (warnings.length > 0) break;
      clock.step();
    }
    await removing;
    expect(clock.now()).toBeLessThan(2_500);
    expect(count(agent, "/deregister/")).toBeGreaterThan(2);
    expect(warnings).toEqual([
      `IM0704 instance ${ID} could not be deregistered: ${agent.client.shown} answered 500: No cluster leader. Its check turns critical within 15000 ms, so that nobody calls it then.`,
    ]);
  });

  it("removes at once what a killed predecessor on this machine left, and nobody else", async () => {
    const { agent, clock, registrar } = await open();
    await using _ = agent;
    const others: (Partial<LeaseSpec> & { readonly instance: string })[] = [
      { instance: "killed", pid: 4_711 },
      { instance: "sibling", pid: 8 },
      { instance: "payments", service: "payments", pid: 4_711 },
    ];
    const before = new ConsulRegistrar({
      ...{ client: agent.client, clock: new FakeClock(), random: seededRandom(1), onWarning: () => {} },
      host: { ...HERE, exists: () => true, startOf: (pid) => `s${pid}` },
    });
    for (const other of others) await before.register({ ...spec, ...other });
    const elsewhere = new ConsulRegistrar({
      ...{ client: agent.client, clock: new FakeClock(), random: seededRandom(1), onWarning: () => {} },
      host: { ...HERE, id: "elsewhere" },
    });
    await elsewhere.register({ ...spec, instance: "elsewhere", pid: 4_711 });
    const swept = count(agent, "/v1/agent/services");
    await registrar.register(spec);
    await agent.came("/v1/agent/services", swept + 1);
    await agent.came("/check/fail/"); // the dead cannot say farewell: it is said for them
    await idle(clock, 2);
    clock.step();
    await expect
      .poll(() => [...agent.services.keys()].sort())
      .toEqual([...["shop.payments.payments", ID, "shop.reviews.elsewhere", "shop.reviews.sibling"]]);
  });

  it("takes a registration of the same instance as the newer one's, and the older cannot end it", async () => {
    const { agent, registrar } = await open();
    await using _ = agent;
    const older = await registrar.register(spec);
    await registrar.register({ ...spec, labels: { version: "v2" } });
    await older.remove();
    expect(agent.services.get(ID)?.Meta["version"]).toBe("v2");
  });

  it("says in a moment that a process ends which has nothing left to do", async () => {
    const { agent, clock, registrar, ends } = await open();
    await using _ = agent;
    await registrar.register(spec);
    await registrar.register({ ...spec, instance: "b" });
    expect(ends).toHaveLength(1);
    agent.broken = (line) => (line.includes(`/deregister/${ID}`) ? { status: 500, text: "" } : undefined);
    ends[0]?.();
    await idle(clock, 2);
    clock.advance(250); // half of the time
    await expect.poll(() => [...agent.services.keys()]).toEqual([ID]);
    for (let tries = 1; clock.pending > 0; tries++) {
      await agent.came(`/deregister/${ID}`, tries);
      await settle();
      clock.step();
    }
    expect(clock.now()).toBeLessThanOrEqual(500);
  });

  it("ends all it holds when it is closed", async () => {
    const { agent, clock, registrar, ends } = await open();
    await using _ = agent;
    for (const instance of ["a", "b", "c"]) await registrar.register({ ...spec, instance });
    expect(agent.services.size).toBe(3);
    await ended(clock, registrar.close());
    expect([agent.services.size, clock.pending, ends.length]).toEqual([0, 0, 0]);
  });
});

/** Resolves when that many timers are armed: what was under way is done. */
async function idle(clock: FakeClock, timers: number): Promise<void> {
  await settle();
  await expect.poll(() => clock.pending, { interval: 2 }).toBe(timers);
}

/** Lets time pass until all of it is done. */
async function ended(clock: FakeClock, ...removals: readonly Promise<void>[]): Promise<void> {
  let over = false;
  const all = Promise.all(removals).finally(() => {
    over = true;
  });
  while (!over) {
    await settle();
    if (clock.pending > 0) clock.step();
  }
  await all;
}

/** Lets the next try come, and waits for what came of it. */
async function renewed(clock: FakeClock, done: () => boolean): Promise<void> {
  await idle(clock, 1);
  clock.step();
  await expect.poll(done, { interval: 2 }).toBe(true);
}
