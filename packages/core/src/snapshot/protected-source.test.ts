import { describe, expect, it } from "vitest";
import { FakeClock } from "../runtime/fake-clock.js";
import { seededRandom } from "../runtime/random.js";
import { ScriptedSource } from "../testing/scripted-source.js";
import { ProtectedSource, type ProtectedSourceOptions } from "./protected-source.js";
import { shopLease, shopWorkload } from "./shop.test.helper.js";
import type { KnownService, Lease, RegistryView } from "./source.js";

const TEN = Array.from({ length: 10 }, (_, n) => shopLease("reviews", `r-${n}`));
const [FIRST, SECOND, ...OTHERS] = TEN as [Lease, Lease, ...Lease[]];
const WEB = shopLease("web", "w-90");

function setup(options: Partial<ProtectedSourceOptions> = {}) {
  const clock = new FakeClock();
  const source = new ScriptedSource();
  const lines: string[] = [];
  const held = new ProtectedSource({
    source,
    clock,
    onHeld: (message, level) => lines.push(`${level}: ${message}`),
    ...options,
  });
  const views: RegistryView[] = [];
  held.watch((view) => views.push(view));
  const names = (service = "reviews") => {
    const view = views.at(-1) ?? expect.fail("no view");
    const all = [...view.leases, ...(view.workloads ?? [])].filter((item) => item.service === service);
    return all.map((item) => ("instance" in item ? item.instance : item.name));
  };
  return { clock, source, held, views, lines, names };
}

describe("ProtectedSource", () => {
  it("hands on views as they are while nothing is held back", () => {
    const { source, held, views } = setup();
    source.say({ leases: TEN });
    source.say({ leases: OTHERS });
    expect(views.map(({ leases }) => leases)).toEqual([TEN, OTHERS]);
    expect([views[0]?.leases === TEN, views[1]?.leases === OTHERS, held.status]).toEqual([true, true, source.status]);
  });

  it("keeps instances that vanish in a mass, as the same objects, for the window, and then obeys", () => {
    const { clock, source, held, views, names } = setup();
    source.say({ leases: [...TEN, WEB] });
    source.say({ leases: [FIRST, SECOND, WEB] });
    expect(names()).toEqual(TEN.map(({ instance }) => instance));
    expect(views.at(-1)?.leases.every((lease) => [...TEN, WEB].includes(lease))).toBe(true);
    expect(held.status).toMatchObject({
      state: "fresh",
      held: [{ namespace: "shop", service: "reviews", of: 10, since: 0, until: 30_000 }],
    });
    expect(held.status.held?.[0]?.instances).toEqual(OTHERS.map(({ name }) => name));
    clock.advance(29_999);
    expect(names()).toHaveLength(10);
    clock.advance(1);
    expect(names()).toEqual([FIRST.instance, SECOND.instance]);
    expect([held.status.held, clock.pending]).toEqual([undefined, 0]);
  });

  it.each([
    ["two of three", 3, 1],
    ["half of ten", 10, 5],
    ["one of two", 2, 1],
  ])("obeys at once when a service loses no more than %s", (_, before, after) => {
    const { source, held, names } = setup();
    source.say({ leases: TEN.slice(0, before) });
    source.say({ leases: TEN.slice(0, after) });
    expect([names().length, held.status.held]).toEqual([after, undefined]);
  });

  it.each([1, 2, 3, 10])("keeps all %i when a service has none any more", (count) => {
    const { source, names } = setup();
    source.say({ leases: TEN.slice(0, count) });
    source.say({});
    expect(names()).toHaveLength(count);
  });

  it("lets processes leave one by one, down to the last but one", () => {
    const { source, names } = setup();
    for (let left = 10; left >= 1; left--) {
      source.say({ leases: TEN.slice(0, left) });
      expect(names()).toHaveLength(left);
    }
  });

  it("takes what was replaced in the same view for no loss: blue for green", () => {
    const { source, names } = setup();
    const green = Array.from({ length: 6 }, (_, n) => shopLease("reviews", `g-${n + 50}`));
    source.say({ leases: TEN });
    source.say({ leases: green });
    expect(names()).toEqual(green.map(({ instance }) => instance));
  });

  it("lets a suspect go at once when nobody listens there, and keeps the others", () => {
    const { source, held, names, clock } = setup();
    source.say({ leases: TEN });
    source.say({});
    held.refused("127.0.0.1:3004");
    expect(names()).toEqual(TEN.flatMap(({ instance }) => (instance === "r-4" ? [] : instance)));
    for (let port = 3_000; port < 3_010; port++) held.refused(`127.0.0.1:${port}`);
    expect([names(), held.status.held, clock.pending]).toEqual([[], undefined, 1]); // the line for the log is to come
  });

  it("keeps nobody back who refused connections just before", () => {
    const { source, held, names, clock } = setup();
    source.say({ leases: TEN });
    held.refused("127.0.0.1:3001");
    clock.advance(4_000);
    held.refused("127.0.0.1:3002");
    clock.advance(2_000);
    source.say({});
    expect(names()).toHaveLength(9);
    expect(names()).not.toContain("r-2");
  });

  it("takes an instance that is told again for none, also at its address under another name", () => {
    const { source, held, views, names } = setup();
    source.say({ leases: TEN });
    source.say({});
    const again = { ...FIRST };
    const restarted = shopLease("reviews", "again-1"); // at the port of r-1
    source.say({ leases: [again, restarted] });
    expect(names().toSorted()).toEqual([again, restarted, ...OTHERS].map(({ instance }) => instance).toSorted());
    expect(views.at(-1)?.leases.includes(again)).toBe(true);
    expect(held.status.held?.[0]?.instances).toHaveLength(8);
  });

  it("calls nobody at an address that another service has now", () => {
    const { source, names } = setup();
    source.say({ leases: TEN });
    source.say({ leases: [shopLease("web", "w-4")] });
    expect(names()).toHaveLength(9);
    expect(names()).not.toContain("r-4");
  });

  it("gives suspects up when as many others are there as there were", () => {
    const { source, held, names } = setup();
    source.say({ leases: [FIRST] });
    source.say({});
    expect(names()).toEqual([FIRST.instance]);
    source.say({ leases: [SECOND] });
    expect([names(), held.status.held]).toEqual([[SECOND.instance], undefined]);
  });

  it("judges every loss by itself: a second one has a window of its own", () => {
    const { source, names, clock } = setup();
    source.say({ leases: TEN });
    source.say({ leases: [FIRST, SECOND] });
    clock.advance(20_000);
    source.say({});
    clock.advance(10_000);
    expect(names()).toEqual([FIRST.instance, SECOND.instance]);
    clock.advance(20_000);
    expect(names()).toEqual([]);
  });

  it("counts instances that others registered, and those that the registry calls unhealthy all at once", () => {
    const { source, names, views, held } = setup();
    const workloads = [1, 2, 3].map((n) => shopWorkload("db", `d-${n}`));
    source.say({ leases: TEN, workloads });
    source.say({ leases: TEN.map((lease) => ({ ...lease, healthy: false })) });
    expect(names("db")).toEqual(["d-1", "d-2", "d-3"]);
    expect(views.at(-1)?.leases).toEqual(TEN);
    expect(views.at(-1)?.workloads?.every((workload) => workloads.includes(workload))).toBe(true);
    held.refused("10.0.0.9:4002");
    expect(names("db")).toEqual(["d-1", "d-3"]);
  });

  it("does not hold back what is no longer asked for", () => {
    const { source, names, held } = setup();
    const services = (loaded: boolean): KnownService[] => [{ namespace: "shop", service: "reviews", loaded }];
    source.say({ leases: TEN, services: services(true) });
    source.say({ services: services(false) });
    expect([names(), held.status.held]).toEqual([[], undefined]);
    source.say({ leases: TEN, services: services(true) });
    source.say({ services: services(true) });
    expect(names()).toHaveLength(10);
    source.say({ services: services(false) });
    expect([names(), held.status.held]).toEqual([[], undefined]);
  });

  it("follows policy meanwhile, and callers that only call are no instances", () => {
    const { source, views, names } = setup();
    const callers = [1, 2, 3].map((n) => shopLease("cron", `c-${n}`, { ports: [] }));
    source.say({ leases: [...TEN, ...callers] });
    source.say({});
    const problems = [{ code: "x" }] as unknown as RegistryView["problems"];
    source.say({ problems });
    expect(views.at(-1)?.problems).toBe(problems);
    expect([names().length, names("cron")]).toEqual([10, []]);
  });

  it.each<[string, Partial<ProtectedSourceOptions>, number]>([
    ["is switched off", { windowMs: 0 }, 2],
    ["wants more to be lost", { percent: 80 }, 2],
    ["wants a larger mass", { least: 9 }, 2],
    ["is content with less", { percent: 10, least: 1 }, 10],
  ])("is as strict as it is told when it %s", (_, options, expected) => {
    const { source, names } = setup(options);
    source.say({ leases: TEN });
    source.say({ leases: [FIRST, SECOND] });
    expect(names()).toHaveLength(expected);
  });

  it("writes one line when it begins, however many services lose instances, and one when it is over", () => {
    const { source, lines, clock, held } = setup();
    const services = ["a", "b", "c", "d", "e"].map((name, at) =>
      [1, 2, 3].map((n) => shopLease(name, `${name}-${at}${n}`)),
    );
    source.say({ leases: services.flat() });
    for (let left = 4; left >= 0; left--) {
      source.say({ leases: services.slice(0, left).flat() }); // one watch after the other
      clock.advance(40);
    }
    clock.advance(250);
    expect(lines).toEqual([
      "warn: the registry lost 3 of 3 instances of shop/e, 3 of 3 instances of shop/d, 3 of 3 instances of shop/c and those of 2 more services at once: they stay in use for 30 s, unless they refuse connections or come back (setting protectionMs)",
    ]);
    source.say({ leases: services.slice(1).flat() });
    for (const port of [3_001, 3_002, 3_003]) held.refused(`127.0.0.1:${port}`);
    expect(lines.slice(1)).toEqual([
      "info: no instance is held back against the registry's word any more: 12 came back, 3 refused connections",
    ]);
  });

  it("warns of nothing when a service loses the one or two instances that it had: they mostly left in order", () => {
    const { source, lines, clock } = setup();
    source.say({ leases: [FIRST, SECOND] });
    source.say({});
    clock.advance(250);
    expect(lines).toEqual([expect.stringMatching(/^info: the registry lost 2 of 2 /)]);
  });

  it("is silent about what was over at once", () => {
    const { source, lines, clock } = setup();
    source.say({ leases: TEN });
    source.say({});
    source.say({ leases: TEN });
    clock.advance(60_000);
    expect([lines, clock.pending]).toEqual([[], 0]);
  });

  it("passes on which services are used, where the registry wants to know", () => {
    const used: string[] = [];
    const lazy = Object.assign(new ScriptedSource(), { use: ({ service }: { service: string }) => used.push(service) });
    setup({ source: lazy }).held.use?.({ namespace: "shop", service: "reviews" });
    expect([used, setup().held.use]).toEqual([["reviews"], undefined]);
  });

  describe("where processes say farewell", () => {
    const leaving = (lease: Lease): Lease => ({ ...lease, healthy: false, leaving: true });

    it("keeps who vanishes without one, one after the other, and lets go who said it, all at once", () => {
      const { source, held, names } = setup({ farewells: true });
      source.say({ leases: TEN });
      for (let left = 9; left >= 0; left--) {
        source.say({ leases: TEN.slice(0, left) });
        expect(names()).toHaveLength(10);
      }
      source.say({ leases: TEN });
      expect(held.status.held).toBeUndefined();
      source.say({ leases: TEN.map(leaving) });
      expect(held.status.held).toBeUndefined();
      source.say({});
      expect([names(), held.status.held]).toEqual([[], undefined]);
    });

    it("obeys what checks say of one, what replaced it, and its refusal", () => {
      const { source, held, names } = setup({ farewells: true });
      const told = () => names().length + 10 * (held.status.held?.[0]?.instances.length ?? 0);
      source.say({ leases: TEN });
      source.say({ leases: [{ ...FIRST, healthy: false }, SECOND, ...OTHERS] });
      expect(told()).toBe(10); // it is told, as one that must not be called
      source.say({ leases: [shopLease("reviews", "r-90"), SECOND, ...OTHERS] });
      source.say({ leases: [shopLease("reviews", "r-91"), SECOND, ...OTHERS] });
      expect(told()).toBe(10);
      source.say({ leases: [SECOND, ...OTHERS] });
      expect(told()).toBe(20);
      held.refused("127.0.0.1:3091");
      expect(told()).toBe(9);
    });

    it("lets a suspect go that says it after all", () => {
      const { source, held, names } = setup({ farewells: true });
      source.say({ leases: TEN });
      source.say({ leases: TEN.map((lease) => ({ ...lease, healthy: false })) }); // nobody heard of their event loops
      expect(held.status.held?.[0]?.instances).toHaveLength(10);
      source.say({ leases: [leaving(FIRST), ...[SECOND, ...OTHERS].map((lease) => ({ ...lease, healthy: false }))] });
      expect(held.status.held?.[0]?.instances).toHaveLength(9);
      expect(names()).toContain("r-0"); // as one that is not called
    });

    it("knows no farewell of instances that others registered", () => {
      const { source, names } = setup({ farewells: true });
      const workloads = [1, 2, 3].map((n) => shopWorkload("db", `d-${n}`));
      source.say({ workloads });
      source.say({ workloads: workloads.slice(1) });
      expect(names("db")).toEqual(["d-2", "d-3"]);
    });
  });

  it("leaves no timer behind and closes its source", async () => {
    const { source, held, clock } = setup();
    source.say({ leases: TEN });
    source.say({});
    await held.close();
    expect([clock.pending, source.closed]).toEqual([0, true]);
  });

  it.each(Array.from({ length: 30 }, (_, seed) => seed))(
    "holds nothing longer than the window, drops nothing earlier without a reason, and grows by nothing: seed %i",
    (seed) => {
      const random = seededRandom(seed);
      const { source, held, clock, views } = setup({ windowMs: 5_000 });
      const all = Array.from({ length: 24 }, (_, n) => shopLease(`s-${n % 3}`, `i-${n}`));
      const suspects = new Map<Lease, { readonly since: number; readonly had: number }>();
      let told = new Set<Lease>();
      const wrong: string[] = [];
      const must = (holds: boolean, what: string) => holds || wrong.push(`at ${clock.now()}: ${what}`);
      for (let turn = 0; turn < 150; turn++) {
        const [before, counted] = [told, countsOf(told)];
        let refused: Lease | undefined;
        const what = random.next();
        if (what < 0.35) {
          const keep = random.next();
          told = new Set(all.filter(() => random.next() < keep));
          source.say({ leases: [...told] });
        } else if (what < 0.5) {
          refused = all[random.int(all.length)];
          held.refused(`127.0.0.1:${refused?.ports[0]?.number}`);
        } else clock.advance(random.int(1_500));
        const counts = countsOf(told);
        const shown = new Set(views.at(-1)?.leases ?? []);
        for (const lease of told) must(shown.has(lease), `${lease.name} is told and not shown`);
        for (const lease of shown) {
          if (told.has(lease)) suspects.delete(lease);
          else if (!suspects.has(lease)) {
            const had = counted.get(lease.service) ?? 0;
            must(before.has(lease), `${lease.name} comes from nowhere`);
            must((counts.get(lease.service) ?? 0) < had / 2, `${lease.name} is held for no mass`);
            suspects.set(lease, { since: clock.now(), had });
          }
        }
        for (const [lease, { since, had }] of suspects) {
          const over = clock.now() - since >= 5_000;
          if (shown.has(lease)) must(!over, `${lease.name} is held too long`);
          else {
            const full = (counts.get(lease.service) ?? 0) >= had;
            must(over || refused === lease || full, `${lease.name} is dropped for nothing`);
            suspects.delete(lease);
          }
        }
        const listed = (held.status.held ?? []).flatMap(({ instances }) => instances).toSorted();
        const known = [...suspects.keys()].map(({ name }) => name).toSorted();
        must(listed.join() === known.join(), `${listed} are listed, not ${known}`);
      }
      clock.advance(5_000);
      expect(wrong).toEqual([]);
      expect([views.at(-1)?.leases.length, held.status.held, clock.pending]).toEqual([told.size, undefined, 0]);
    },
  );
});

function countsOf(leases: Iterable<Lease>): Map<string, number> {
  const counts = new Map<string, number>();
  for (const { service } of leases) counts.set(service, (counts.get(service) ?? 0) + 1);
  return counts;
}
