import { ConsulRegistry, type ConsulStore } from "@inmesh/consul";
import { watched } from "@inmesh/core/testing";
import { type Document, documentFromValue, parseDocuments } from "@inmesh/model";
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from "vitest";
import { targetOf } from "../hostile/watched-shop.js";
import { type DevAgent, findConsul, startDevAgent } from "../peer/index.js";
import { runCli } from "./run-cli.js";

const binary = findConsul("policy in a real Consul's key-value store");
const KEY = "Namespace/shop/shop";

const shop = (tier: string, more: object = {}): Document =>
  documentFromValue({ apiVersion: "v1", kind: "Namespace", metadata: { name: "shop", labels: { tier } }, ...more })
    .documents[0] ?? expect.fail("no document");

describe.skipIf(binary === undefined)("policy in a real Consul", () => {
  let agent: DevAgent;
  let count = 0;

  beforeAll(async () => {
    agent = await startDevAgent(binary!); // not skipped: it is there
  });
  afterAll(async () => agent?.[Symbol.asyncDispose]());

  /** Below a prefix of its own. */
  function fixture() {
    const prefix = `kv-${++count}`;
    const open = (): ConsulRegistry => {
      const registry = new ConsulRegistry({ target: targetOf(agent.port, { prefix }), parse: parseDocuments });
      onTestFinished(() => registry.close());
      return registry;
    };
    const keys = async (below: string): Promise<readonly string[]> =>
      ((await agent.ask("GET", `/v1/kv/${prefix}/${below}?keys`)).body || []) as readonly string[]; // 404: none
    return { prefix, open, store: open().store, keys };
  }
  const tiers = async (store: ConsulStore) =>
    (await store.history(KEY)).map(({ who, before, after }) =>
      [who, before, after].map((text) => /tier: (\w+)/.exec(text ?? "")?.[1] ?? text),
    );

  it("keeps every change of one resource by ten writers at once, and ends in one of them", async () => {
    const { open, store } = fixture();
    const writers = Array.from({ length: 10 }, (_, n) => n);
    await Promise.all(writers.map((n) => open().store.apply([shop(`t${n}`)], { who: `w${n}` })));
    const revisions = await store.history(KEY);
    expect(new Set(revisions.map(({ who }) => who))).toEqual(new Set(writers.map((n) => `w${n}`)));
    expect(revisions.map(({ id }) => Number(id))).toEqual(writers.map((n) => 10 - n));
    for (const [index, { before }] of revisions.entries()) expect(before).toBe(revisions[index + 1]?.after);
    expect((await store.list()).map(({ key }) => key)).toEqual([KEY]);
  });

  it("loses no resource of eight that four writers change in one key", async () => {
    const { prefix, open, store, keys } = fixture();
    const names = Array.from({ length: 8 }, (_, n) => `n-${n}`);
    const text = names.map((name) => `apiVersion: v1\nkind: Namespace\nmetadata: { name: ${name} } # ours\n`);
    await agent.must("PUT", `/v1/kv/${prefix}/policy/by-hand/all.yaml`, text.join("---\n"));
    const changed = (name: string): Document =>
      documentFromValue({ apiVersion: "v1", kind: "Namespace", metadata: { name, labels: { done: "yes" } } })
        .documents[0] ?? expect.fail("no document");
    const writes = Array.from({ length: 4 }, (_, n) => names.slice(2 * n, 2 * n + 2).map(changed));
    await Promise.all(writes.map((documents) => open().store.apply(documents)));
    expect(await keys("policy/")).toEqual([`${prefix}/policy/by-hand/all.yaml`]);
    const { body } = await agent.ask("GET", `/v1/kv/${prefix}/policy/by-hand/all.yaml?raw`);
    expect(`${body}`.match(/done: yes/g)).toHaveLength(8);
    expect(`${body}`.match(/# ours/g)).toHaveLength(8);
    expect((await store.list()).map(({ name }) => name)).toEqual(names);
  });

  it("takes as much as the server does: what a transaction holds, what only a value holds, and no more", async () => {
    const { store } = fixture();
    const long = (letter: string, characters: number) => shop(letter, { spec: { long: letter.repeat(characters) } });
    for (const [letter, characters] of [
      ["a", 380_000],
      ["b", 500_000],
      ["c", 523_000],
      ["d", 390_500],
    ] as const) {
      await store.apply([long(letter, characters)], { who: letter });
    }
    expect(await tiers(store)).toEqual([
      ["d", "c", "d"],
      ["c", "b", "c"],
      ["b", "a", "b"],
      ["a", undefined, "a"],
    ]);
    await expect(store.apply([long("e", 524_288)])).rejects.toMatchObject({ code: "CONFIG_INVALID" });
    expect((await store.delete([KEY]))[0]?.outcome).toBe("deleted");
    expect(await store.list()).toEqual([]);
  });

  it("makes a hundred resources in transactions that the server takes, and keeps fifty changes of each", async () => {
    const { store, keys } = fixture();
    const all = (label: string): Document[] =>
      Array.from({ length: 100 }, (_, n) => ({
        ...{ apiVersion: "v1", kind: "Namespace" },
        metadata: { name: `n-${n}`, labels: { label } },
      })).map((value) => documentFromValue(value).documents[0] ?? expect.fail("no document"));
    expect((await store.apply(all("a"))).every(({ outcome }) => outcome === "created")).toBe(true);
    expect((await store.apply(all("b"))).every(({ outcome }) => outcome === "configured")).toBe(true);
    expect(await keys("history/")).toHaveLength(200);
    for (let n = 0; n < 55; n++) await store.apply([shop(`t${n}`)]);
    const ids = (await store.history(KEY)).map(({ id }) => Number(id));
    expect([ids.length, ids[0], ids.at(-1)]).toEqual([50, 55, 6]);
  });

  it("moves a resource with its host, and shows it once, also to whoever looks meanwhile", async () => {
    const { prefix, open, store, keys } = fixture();
    const route = (...hosts: string[]): Document =>
      documentFromValue({
        ...{ apiVersion: "networking.istio.io/v1", kind: "VirtualService" },
        ...{ metadata: { name: "r", namespace: "shop" }, spec: { hosts } },
      }).documents[0] ?? expect.fail("no document");
    const below = (service: string): string => `${prefix}/services/shop/${service}/VirtualService/r`;
    const general = `${prefix}/policy/shop/VirtualService/r`;
    const moves = [
      [["reviews"], below("reviews"), "created"],
      [["ratings"], below("ratings"), "configured"],
      [["reviews", "ratings"], general, "configured"],
      [["reviews"], below("reviews"), "configured"],
    ] as const;
    const looker = open().store;
    let done = false;
    const seen = new Set<string>();
    const looking = (async () => {
      for (let begun = false; !done; ) {
        const found = (await looker.list()).map(({ key }) => key).join();
        begun ||= found !== "";
        if (begun) seen.add(found);
      }
    })();
    for (const [hosts, where, outcome] of moves) {
      expect(await store.apply([route(...hosts)])).toEqual([{ key: "VirtualService/shop/r", outcome, where }]);
      expect([...(await keys("policy/")), ...(await keys("services/"))]).toEqual([where]);
    }
    await Promise.all(["a", "b", "c", "d"].map((name) => open().store.apply([route(name), route(name, "e")])));
    done = true;
    await looking;
    expect([...seen]).toEqual(["VirtualService/shop/r"]);
    expect(await keys("services/")).toEqual([]);
    expect(await store.delete(["VirtualService/shop/r"])).toEqual([
      { key: "VirtualService/shop/r", outcome: "deleted", where: general },
    ]);
    const revisions = await store.history("VirtualService/shop/r");
    expect(revisions).toHaveLength(13);
    for (const [index, { before }] of revisions.entries()) expect(before).toBe(revisions[index + 1]?.after);
  });

  it("puts the older first where neither says its age: that is the one whose key was made first", async () => {
    const { prefix, open } = fixture();
    const route = (name: string, subset: string): string =>
      `apiVersion: networking.istio.io/v1\nkind: VirtualService\nmetadata: { name: ${name} }\nspec:\n  hosts: [reviews]\n  http: [{ route: [{ destination: { host: ${subset} } }] }]\n`;
    await agent.must("PUT", `/v1/kv/${prefix}/policy/z`, route("z-first", "one"));
    await agent.must("PUT", `/v1/kv/${prefix}/policy/a`, route("a-second", "two"));
    const view = await watched(open()).until(({ documents }) => documents.length === 2);
    expect(view.documents.map(({ name }) => name)).toEqual(["z-first", "a-second"]);
    const config = `consul://127.0.0.1:${agent.port}?prefix=${prefix}`;
    const { stdout } = await runCli("explain GET http://reviews/ -o json", { INMESH_CONFIG: config });
    expect(JSON.parse(stdout)).toMatchObject({ route: { resource: "VirtualService/default/z-first" } });
  });
});
