import { describe, expect, it } from "vitest";
import { FakeClock } from "../runtime/fake-clock.js";
import { lease } from "../testing/registry-cases.js";
import { registryContract } from "../testing/registry-contract.js";
import { MemoryRegistry } from "./memory-registry.js";
import type { RegistryView } from "./source.js";

registryContract(
  "MemoryRegistry",
  async () => {
    const registry = new MemoryRegistry();
    return {
      store: registry,
      registrar: registry,
      openSource: () => registry.openSource(),
      openStore: () => registry,
      close: () => registry.close(),
    };
  },
  { describe, it, expect },
);

describe("MemoryRegistry, told to be lazy", () => {
  it("tells each reader names, and instances of the services that it uses", async () => {
    const clock = new FakeClock();
    const registry = new MemoryRegistry({ clock, lazy: { tellAfterMs: 20 } });
    await registry.register(lease("a"));
    await registry.register({ ...lease("b"), service: "ratings" });
    await registry.register({ ...lease("c"), service: "job", ports: [] }); // calls, and is no service
    const [one, two] = [registry.openSource(), registry.openSource()];
    const views: RegistryView[] = [];
    const others: RegistryView[] = [];
    one.watch((view) => views.push(view));
    two.watch((view) => others.push(view));
    const seen = (view: RegistryView | undefined) => ({
      services: view?.services?.map(({ service, loaded }) => `${service} ${loaded}`),
      leases: view?.leases.map(({ instance }) => instance),
    });
    expect(seen(views.at(-1))).toEqual({ services: ["ratings false", "reviews false"], leases: [] });
    one.use?.({ namespace: "shop", service: "reviews" });
    await clock.advanceAsync(19);
    expect(views).toHaveLength(1);
    await clock.advanceAsync(1);
    expect(seen(views.at(-1))).toEqual({ services: ["ratings false", "reviews true"], leases: ["a"] });
    expect(views.at(-1)?.services?.[0]).toBe(views[0]?.services?.[0]);
    expect(seen(others.at(-1)).leases).toEqual([]);
    await Promise.all([one.close(), two.close(), registry.close()]);
    expect(clock.pending).toBe(0);
  });

  it("has no ear for uses where it tells everything", () => {
    expect([new MemoryRegistry().use, new MemoryRegistry().openSource().use]).toEqual([undefined, undefined]);
    expect(new MemoryRegistry({ lazy: true }).use).toBeTypeOf("function");
  });
});
