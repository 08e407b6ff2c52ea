import { describe, expect, it } from "vitest";
import { FakeClock } from "../runtime/fake-clock.js";
import { registryContract } from "../testing/registry-contract.js";
import { ScriptedSource } from "../testing/scripted-source.js";
import { MemoryRegistry } from "./memory-registry.js";
import { RememberedServices } from "./remembered-services.js";
import { shopLease, shopWorkload } from "./shop.test.helper.js";
import type { RegistryView } from "./source.js";

registryContract(
  "A registry whose services are remembered",
  async () => {
    const registry = new MemoryRegistry();
    return {
      store: registry,
      registrar: registry,
      openSource: () => new RememberedServices({ source: registry.openSource() }),
      openStore: () => registry,
      close: () => registry.close(),
    };
  },
  { describe, it, expect },
);

const REVIEWS = { namespace: "shop", service: "reviews", loaded: true };
const MINUTE_MS = 60_000;

function setup() {
  const clock = new FakeClock();
  const source = new ScriptedSource();
  const remembered = new RememberedServices({ source, clock });
  const views: RegistryView[] = [];
  remembered.watch((view) => views.push(view));
  return { clock, source, remembered, views, services: () => views.at(-1)?.services };
}

it("knows a service for ten minutes after its last instance, and no service that never was", () => {
  const { clock, source, services } = setup();
  source.say({});
  expect(services()).toBeUndefined();
  source.say({ leases: [shopLease("reviews", "r-1"), shopLease("cron", "c-1", { ports: [] })] });
  expect(services()).toBeUndefined();
  source.say({});
  expect(services()).toEqual([REVIEWS]);
  clock.advance(10 * MINUTE_MS - 1);
  expect(services()).toEqual([REVIEWS]);
  clock.advance(1);
  expect([services(), clock.pending]).toEqual([undefined, 0]);
});

it("keeps the object from view to view, and forgets as soon as there is an instance again", () => {
  const { clock, source, views, services } = setup();
  source.say({ workloads: [shopWorkload("reviews", "r-1")] });
  source.say({});
  source.say({ leases: [shopLease("web", "w-1")] });
  expect(views[1]?.services?.[0]).toBe(views[2]?.services?.[0]);
  source.say({ leases: [shopLease("reviews", "r-2")] });
  expect([services(), clock.pending]).toEqual([[{ ...REVIEWS, service: "web" }], 1]);
});

it("leaves to a registry with names what it says of them", () => {
  const { source, services } = setup();
  const listed = [{ ...REVIEWS, loaded: false }];
  source.say({ leases: [shopLease("reviews", "r-1"), shopLease("web", "w-1")], services: [{ ...REVIEWS }] });
  source.say({ services: listed });
  expect(services()).toEqual([...listed, { ...REVIEWS, service: "web" }]);
  source.say({ services: [] });
  expect(services()?.map(({ service }) => service)).toEqual(["reviews", "web"]);
});

it("forgets each in its turn", () => {
  const { clock, source, services } = setup();
  source.say({ leases: [shopLease("reviews", "r-1"), shopLease("web", "w-1")] });
  source.say({ leases: [shopLease("web", "w-1")] });
  clock.advance(MINUTE_MS);
  source.say({});
  clock.advance(9 * MINUTE_MS);
  expect(services()?.map(({ service }) => service)).toEqual(["web"]);
  clock.advance(MINUTE_MS);
  expect([services(), clock.pending]).toEqual([undefined, 0]);
});

it("leaves no timer behind and closes its source", async () => {
  const { clock, source, remembered } = setup();
  source.say({ leases: [shopLease("reviews", "r-1")] });
  source.say({});
  await remembered.close();
  expect([clock.pending, source.closed]).toEqual([0, true]);
});
