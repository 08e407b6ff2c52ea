/**
 * What every registry does, whether a folder, Consul or memory. Takes the test framework's functions as an argument, so
 * that shipping it ships no framework.
 */

import { annotations, creationTime, find, keys, label, lease, namespace, watched } from "./registry-cases.js";
import type { ContractTest, RegistryAbility, RegistryFixture, TestApi } from "./registry-fixture.js";
import { troubleContract } from "./registry-trouble-contract.js";

/** Consul's values end at 512 KiB, with all that a registry adds. */
const BIG_CHARS = 400_000;
const CHANGES = 12;

/** @param abilities those of the fixture: what it cannot do is not asked of it */
export function registryContract(
  name: string,
  create: () => Promise<RegistryFixture>,
  api: TestApi,
  abilities: readonly RegistryAbility[] = [],
): void {
  const { describe, it, expect } = api;
  const test: ContractTest = (title, body) =>
    it(title, async () => {
      const fixture = await create();
      try {
        await body(fixture);
      } finally {
        await fixture.close();
      }
    });

  describe(`${name} as a registry`, () => {
    test("shows an empty registry as empty, and says that it is fresh", async (fixture) => {
      const source = fixture.openSource();
      expect(source.status.state).toBe("connecting");
      const view = await watched(source).until(() => true);
      const { documents, leases, problems } = view;
      expect({ documents, leases, problems }).toEqual({ documents: [], leases: [], problems: [] });
      expect(source.status.state).toBe("fresh");
    });

    test("shows what was there before, and what comes, changes and goes", async ({ store, openSource }) => {
      await store.apply([namespace("one")]);
      const reader = watched(openSource());
      await reader.until((view) => keys(view).join() === "Namespace/one/one");
      await store.apply([namespace("two", { tier: "a" })]);
      await reader.until((view) => keys(view).length === 2);
      await store.apply([namespace("two", { tier: "b" })]);
      await reader.until(
        (view) => JSON.stringify(find(view, "two")?.value["metadata"])?.includes('"tier":"b"') ?? false,
      );
      await store.delete(["Namespace/one/one"]);
      await reader.until((view) => keys(view).join() === "Namespace/two/two");
    });

    test("tells two readers the same", async ({ store, openSource }) => {
      const readers = [watched(openSource()), watched(openSource())];
      await store.apply([namespace("one")]);
      const views = await Promise.all(readers.map((reader) => reader.until((view) => keys(view).length === 1)));
      expect(views[0]?.documents.map(({ hash }) => hash)).toEqual(views[1]?.documents.map(({ hash }) => hash));
    });

    test("keeps the objects of what did not change", async ({ store, registrar, openSource }) => {
      await store.apply([namespace("one"), namespace("two")]);
      await registrar.register(lease("a"));
      const reader = watched(openSource());
      const before = await reader.until((view) => keys(view).length === 2 && view.leases.length === 1);
      await store.apply([namespace("two", { changed: "yes" })]);
      await registrar.register(lease("b"));
      const after = await reader.until(
        (view) => view.leases.length === 2 && find(view, "two")?.hash !== find(before, "two")?.hash,
      );
      expect(find(after, "one") === find(before, "one")).toBe(true);
      expect(after.leases[0] === before.leases[0]).toBe(true);
    });

    test("says what an apply and a delete did", async ({ store }) => {
      const outcomes = async (results: Promise<readonly { key: string; outcome: string }[]>): Promise<string[]> =>
        (await results).map(({ key, outcome }) => `${outcome} ${key}`);
      const [one, two] = ["Namespace/one/one", "Namespace/two/two"];
      expect(await outcomes(store.apply([namespace("one")]))).toEqual([`created ${one}`]);
      const mixed = store.apply([namespace("one"), namespace("two")]);
      expect(await outcomes(mixed)).toEqual([`unchanged ${one}`, `created ${two}`]);
      expect(await outcomes(store.apply([namespace("two", { a: "b" })]))).toEqual([`configured ${two}`]);
      expect(await outcomes(store.delete([two, "Namespace/nobody/nobody"]))).toEqual([`deleted ${two}`]);
      expect((await store.list()).map(({ key }) => key)).toEqual([one]);
    });

    test("takes what is as big as a registry may be asked to take", async ({ store, openSource }) => {
      const reader = watched(openSource());
      const big = namespace("big", {}, { text: "x".repeat(BIG_CHARS) });
      await store.apply([big]);
      const view = await reader.until((each) => keys(each).length === 1);
      expect(annotations(find(view, "big"))).toEqual(annotations(big));
      expect(await store.apply([big])).toMatchObject([{ outcome: "unchanged" }]);
    });

    test("keeps the time of creation when a document changes", async ({ store }) => {
      await store.apply([namespace("one")]);
      const created = (await store.list()).map(creationTime);
      await store.apply([namespace("one", { changed: "yes" })]);
      expect((await store.list()).map(creationTime)).toEqual(created);
    });

    test("tells changes in their order, and the last one for certain", async ({ store, openSource }) => {
      const source = openSource();
      const seen: number[] = [];
      source.watch((view) => seen.push(Number(label(find(view, "counter"), "n") ?? 0)));
      const reader = watched(source);
      for (let n = 1; n <= CHANGES; n++) await store.apply([namespace("counter", { n: String(n) })]);
      await reader.until((view) => label(find(view, "counter"), "n") === String(CHANGES));
      expect(seen).toEqual([...seen].sort((a, b) => a - b));
    });

    test("shows a registry that was emptied as empty, and as fresh", async ({ store, openSource }) => {
      await store.apply([namespace("one"), namespace("two")]);
      const source = openSource();
      const reader = watched(source);
      await reader.until((view) => keys(view).length === 2);
      await store.delete(["Namespace/one/one", "Namespace/two/two"]);
      await reader.until((view) => keys(view).length === 0);
      expect(source.status.state).toBe("fresh");
      expect(await store.list()).toEqual([]);
      await store.apply([namespace("three")]);
      await reader.until((view) => keys(view).join() === "Namespace/three/three");
    });

    test("lets two writers of one document have their say one after the other", async ({ store, openStore }) => {
      const writers = [store, openStore()];
      const writes = Array.from({ length: CHANGES }, (_, n) =>
        writers[n % 2]!.apply([namespace("one", { n: `${n}` })]),
      );
      const outcomes = (await Promise.all(writes)).flat().map(({ outcome }) => outcome);
      expect(outcomes.filter((outcome) => outcome === "created").length).toBe(1);
      expect(outcomes.filter((outcome) => outcome === "configured").length).toBe(CHANGES - 1);
      expect((await store.list()).length).toBe(1);
    });

    test("loses nothing when many apply at once", async ({ store, openStore }) => {
      const names = Array.from({ length: 20 }, (_, index) => `many-${index}`);
      const writers = [store, openStore()];
      await Promise.all(names.map((each, index) => writers[index % 2]!.apply([namespace(each)])));
      expect((await store.list()).map((document) => document.name).sort()).toEqual([...names].sort());
    });

    test("shows a lease with all it says, its updates, and its end", async ({ registrar, openSource }) => {
      const reader = watched(openSource());
      const spec = lease("a");
      const handle = await registrar.register(spec);
      const [seen] = (await reader.until((view) => view.leases.length === 1)).leases;
      expect(seen).toMatchObject({ ...spec, name: "shop.reviews.a" });
      expect({ ...seen?.labels }).toEqual({ ...spec.labels });
      await handle.update({ ports: [...spec.ports, { number: 9090, name: "admin" }], labels: { version: "v2" } });
      const updated = await reader.until((view) => view.leases[0]?.ports.length === 2);
      expect(updated.leases[0]?.labels["version"]).toBe("v2");
      await handle.remove();
      await handle.remove();
      await reader.until((view) => view.leases.length === 0);
    });

    test("takes a process without ports", async ({ registrar, openSource }) => {
      await registrar.register({ ...lease("a"), ports: [] });
      const view = await watched(openSource()).until(({ leases }) => leases.length === 1);
      expect(view.leases[0]?.ports).toEqual([]);
    });

    for (const part of ["namespace", "service", "instance"] as const) {
      test(`refuses a lease whose ${part} is no DNS label`, async ({ registrar, openSource }) => {
        for (const bad of ["../../etc/passwd", "a.b", "A", "", "-a", "a/b", "a\0", "x".repeat(64)])
          await expect(registrar.register({ ...lease("a"), [part]: bad })).rejects.toMatchObject({
            code: "CONFIG_INVALID",
          });
        const view = await watched(openSource()).until(() => true);
        expect(view.leases).toEqual([]);
      });
    }

    test("calls no listener any more once closed", async ({ store, openSource }) => {
      const closed = openSource();
      const reader = watched(closed);
      await reader.until(() => true);
      await closed.close();
      const seen = reader.count;
      await store.apply([namespace("one")]);
      await watched(openSource()).until((view) => keys(view).length === 1);
      expect(reader.count).toBe(seen);
    });

    troubleContract(test, expect, abilities);
  });
}
