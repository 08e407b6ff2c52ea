/**
 * What every registry does, whether a folder, Consul or memory. Takes the test framework's functions as an argument, so
 * that shipping it ships no framework.
 */

import { type Document, parseDocuments } from "@inmesh/model";
import { systemClock } from "../runtime/clock.js";
import type { LeaseSpec, Registrar, RegistryView, Source, Store } from "../snapshot/source.js";

export interface RegistryFixture {
  readonly store: Store;
  readonly registrar: Registrar;
  /** Another reader of the same registry, as another process would be. Closed by `close`. */
  openSource(): Source;
  close(): Promise<void>;
}

/** The part of vitest (or jest) that the suite uses. */
export interface TestApi {
  describe(name: string, body: () => void): void;
  it(name: string, body: () => Promise<void>): void;
  expect(actual: unknown): {
    toBe(expected: unknown): void;
    toEqual(expected: unknown): void;
    toMatchObject(expected: object): void;
    readonly rejects: { toMatchObject(expected: object): Promise<void> };
  };
}

const WAIT_MS = 5_000;

export function registryContract(name: string, create: () => Promise<RegistryFixture>, api: TestApi): void {
  const { describe, it, expect } = api;
  const test = (title: string, body: (fixture: RegistryFixture) => Promise<void>): void =>
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
      expect(view).toEqual({ documents: [], leases: [], problems: [] });
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

    test("loses nothing when many apply at once", async ({ store }) => {
      const names = Array.from({ length: 20 }, (_, index) => `many-${index}`);
      await Promise.all(names.map((each) => store.apply([namespace(each)])));
      expect((await store.list()).map((document) => document.name).sort()).toEqual([...names].sort());
    });

    test("shows a lease with all it says, its updates, and its end", async ({ registrar, openSource }) => {
      const reader = watched(openSource());
      const spec = lease("a");
      const handle = await registrar.register(spec);
      const [seen] = (await reader.until((view) => view.leases.length === 1)).leases;
      expect({ ...seen, labels: { ...seen?.labels } }).toEqual({ ...spec, name: "shop.reviews.a" });
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
  });
}

export interface WatchedSource {
  /** Views so far. */
  readonly count: number;
  /** The last view, or the first one to come, of which `accepts` is true. Rejects after five seconds with the last view. */
  until(accepts: (view: RegistryView) => boolean): Promise<RegistryView>;
}

/** Watches a source and lets a test wait for what it says. */
export function watched(source: Source): WatchedSource {
  let last: RegistryView | undefined;
  let count = 0;
  const waiting = new Set<() => void>();
  source.watch((view) => {
    last = view;
    count += 1;
    for (const look of [...waiting]) look();
  });
  return {
    get count() {
      return count;
    },
    until: (accepts) =>
      new Promise((resolve, reject) => {
        const finish = (settle: () => void): void => {
          timer.cancel();
          waiting.delete(look);
          settle();
        };
        const look = (): void => {
          const view = last;
          if (view !== undefined && accepts(view)) finish(() => resolve(view));
        };
        const timer = systemClock.hold(WAIT_MS, () =>
          finish(() =>
            reject(new Error(`no such view in ${WAIT_MS} ms, the last was ${JSON.stringify(last, null, 1)}`)),
          ),
        );
        waiting.add(look);
        look();
      }),
  };
}

/** Of service `reviews` in namespace `shop`, alive as long as this process. */
export function lease(instance: string): LeaseSpec {
  return {
    namespace: "shop",
    service: "reviews",
    instance,
    address: "127.0.0.1",
    ports: [{ number: 8080, name: "http" }],
    labels: { version: "v1", "app.kubernetes.io/name": "reviews" },
    locality: { region: "eu", zone: "eu-1", subZone: "rack-2" },
    serviceAccount: "reviews",
    pid: process.pid,
    admin: "http://127.0.0.1:9901",
    ttlMs: 15_000,
    inmeshVersion: "0.1.0",
    schemaVersion: 1,
  };
}

/** The smallest document there is. */
export function namespace(name: string, labels: Readonly<Record<string, string>> = {}): Document {
  const value = { apiVersion: "v1", kind: "Namespace", metadata: { name, labels } };
  return parseDocuments(JSON.stringify(value), { file: "" }).documents[0]!; // the text above is one document
}

function keys({ documents }: RegistryView): string[] {
  return documents.map(({ key }) => key).sort();
}

function find({ documents }: RegistryView, name: string): Document | undefined {
  return documents.find((document) => document.name === name);
}
