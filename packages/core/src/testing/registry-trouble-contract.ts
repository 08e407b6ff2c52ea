/** What every registry does when it is away for a while, forgets, is slow, or when somebody in it dies. */

import { systemClock } from "../runtime/clock.js";
import type { RegistryView } from "../snapshot/source.js";
import { keys, label, lease, namespace, watched } from "./registry-cases.js";
import type { ContractTest, RegistryAbility, RegistryFixture, TestApi } from "./registry-fixture.js";

/** Nobody renews it, and its readers wait no longer than this, in ms. */
const SHORT_TTL_MS = 1_000;
/** Renewed every second or so. */
const RENEWED_TTL_MS = 3_000;
/** Slower than anybody's patience with one answer would suggest, and quicker than everybody's. */
const SLOW_MS = 300;

export function troubleContract(
  test: ContractTest,
  expect: TestApi["expect"],
  abilities: readonly RegistryAbility[],
): void {
  const able = (ability: RegistryAbility, title: string, body: (fixture: RegistryFixture) => Promise<void>): void => {
    if (abilities.includes(ability)) test(title, body);
  };

  able("dyingRegistrar", "stops offering a process that died without a word", async (fixture) => {
    const { registrar, openSource } = fixture;
    const reader = watched(openSource());
    await registrar.register(lease("alive"));
    await has(fixture, "dyingRegistrar").register({ ...lease("dead"), ttlMs: SHORT_TTL_MS });
    await reader.until((view) => usable(view).join() === "alive,dead");
    await reader.until((view) => usable(view).join() === "alive");
  });

  able(
    "goAway",
    "keeps what it showed while the registry is away, says so, and goes on when it is back",
    async (fixture) => {
      const { store, registrar, openSource } = fixture;
      await store.apply([namespace("one")]);
      const handle = await registrar.register(lease("a"));
      const source = openSource();
      const reader = watched(source);
      await reader.until((view) => keys(view).length === 1 && view.leases.length === 1);
      const comeBack = await has(fixture, "goAway").call(fixture);
      await eventually(() => source.status.state === "stale");
      expect(typeof source.status.reason).toBe("string");
      const meanwhile = await reader.until(() => true);
      expect([keys(meanwhile), usable(meanwhile)]).toEqual([["Namespace/one/one"], ["a"]]);
      await comeBack();
      await eventually(() => source.status.state === "fresh");
      await store.apply([namespace("two")]);
      await reader.until((view) => keys(view).length === 2 && usable(view).join() === "a");
      await handle.update({ labels: { version: "v2" } });
      await reader.until((view) => view.leases[0]?.labels["version"] === "v2");
      await handle.remove();
      await reader.until((view) => view.leases.length === 0);
    },
  );

  able("forgetLeases", "registers again what the registry forgot", async (fixture) => {
    const { store, registrar, openSource } = fixture;
    await store.apply([namespace("one")]);
    const spec = { ...lease("a"), ttlMs: RENEWED_TTL_MS };
    const handle = await registrar.register(spec);
    await registrar.register({ ...spec, instance: "b" });
    await has(fixture, "forgetLeases").call(fixture);
    const reader = watched(openSource());
    const view = await reader.until((each) => usable(each).join() === "a,b");
    expect(view.leases[0]).toMatchObject({ ...spec });
    expect(keys(view)).toEqual(["Namespace/one/one"]);
    await handle.remove();
    await reader.until((each) => usable(each).join() === "b");
  });

  able("slowDown", "does all of it with a registry that takes its time", async (fixture) => {
    const { store, registrar, openSource } = fixture;
    has(fixture, "slowDown").call(fixture, SLOW_MS);
    const source = openSource();
    const reader = watched(source);
    await store.apply([namespace("one", { n: "1" })]);
    const handle = await registrar.register(lease("a"));
    await reader.until((view) => keys(view).length === 1 && usable(view).join() === "a");
    expect(source.status.state).toBe("fresh");
    await store.apply([namespace("one", { n: "2" })]);
    await reader.until(({ documents }) => label(documents[0], "n") === "2");
    await handle.remove();
    await reader.until((view) => view.leases.length === 0);
  });
}

/** Instances of leases that may be called. */
function usable({ leases }: RegistryView): string[] {
  return leases.filter(({ healthy }) => healthy !== false).map(({ instance }) => instance);
}

function has<Ability extends RegistryAbility>(
  fixture: RegistryFixture,
  ability: Ability,
): NonNullable<RegistryFixture[Ability]> {
  const member = fixture[ability];
  if (member === undefined) throw new Error(`the fixture says that it has ${ability}, and has not`);
  return member;
}

async function eventually(holds: () => boolean): Promise<void> {
  for (const until = systemClock.now() + 15_000; !holds(); ) {
    if (systemClock.now() > until) throw new Error("it never happens");
    await new Promise<void>((resolve) => systemClock.hold(10, resolve));
  }
}
