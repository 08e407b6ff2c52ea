import type { Revision } from "@inmesh/core";
import { systemClock } from "@inmesh/core";
import { seededRandom } from "@inmesh/core/testing";
import { documentFromValue, parseDocuments } from "@inmesh/model";
import { describe, expect, it, onTestFinished } from "vitest";
import { ConsulStore } from "./consul-store.js";
import { FakeKv, isTransaction } from "./fake-kv.test.helper.js";

async function setup() {
  const kv = await FakeKv.start();
  onTestFinished(() => kv[Symbol.asyncDispose]());
  const clock = { ...systemClock, wallTime: () => Date.parse("2026-11-27T20:00:00Z") };
  const open = (client = kv.another(), seed = 1) => {
    onTestFinished(() => client.close());
    return new ConsulStore({ client, parse: parseDocuments, clock, random: seededRandom(seed) });
  };
  return { kv, open, store: open() };
}

const document = (value: object) => documentFromValue(value).documents[0] ?? expect.fail("no document");

const shop = (tier: string, more: object = {}) =>
  document({ apiVersion: "v1", kind: "Namespace", metadata: { name: "shop", labels: { tier } }, ...more });

const namespace = (name: string, labels?: object) =>
  document({ apiVersion: "v1", kind: "Namespace", metadata: { name, ...(labels && { labels }) } });

const KEY = "Namespace/shop/shop";
const PLACE = "inmesh/policy/shop/Namespace/shop";
const HISTORY = "inmesh/history/shop/Namespace/shop/";

const tierOf = (text: string | undefined) => /tier: (\S+)/.exec(text ?? "")?.[1];
const brief = (revisions: readonly Revision[]) =>
  revisions.map(({ id, outcome, before, after }) => [id, outcome, tierOf(before), tierOf(after)]);

describe("ConsulStore applies", () => {
  it("each document to a key of its own, with its time of creation and a record", async () => {
    const { kv, store } = await setup();
    const route = document({
      ...{ apiVersion: "networking.istio.io/v1", kind: "VirtualService" },
      ...{ metadata: { name: "reviews", namespace: "shop" }, spec: { hosts: ["reviews"] } },
    });
    expect(await store.apply([shop("a"), route], { who: "ann@one", reason: "first" })).toEqual([
      { key: KEY, outcome: "created", where: PLACE },
      {
        key: "VirtualService/shop/reviews",
        outcome: "created",
        where: "inmesh/services/shop/reviews/VirtualService/reviews",
      },
    ]);
    expect(kv.text(PLACE)).toBe(
      "apiVersion: v1\nkind: Namespace\nmetadata:\n  name: shop\n  labels:\n    tier: a\n  creationTimestamp: 2026-11-27T20:00:00Z\n",
    );
    expect(JSON.parse(kv.text(`${HISTORY}00000001`) ?? "")).toEqual({
      ...{ id: "1", key: KEY, at: Date.parse("2026-11-27T20:00:00Z"), who: "ann@one", reason: "first" },
      ...{ outcome: "created", after: kv.text(PLACE) },
    });
    expect(kv.asked.filter(isTransaction)).toHaveLength(1);
  });

  it("nothing when nothing changed, and keeps the time of creation when something did", async () => {
    const { kv, store } = await setup();
    kv.put(PLACE, "apiVersion: v1\nkind: Namespace\nmetadata: {name: shop, labels: {tier: a}}\n");
    expect((await store.apply([shop("a")]))[0]?.outcome).toBe("unchanged");
    expect(kv.asked.some(isTransaction)).toBe(false);
    await store.apply([shop("b")]);
    const dated = (kv.text(PLACE) ?? "").replace("2026-11-27", "2020-02-02");
    kv.put(PLACE, dated);
    expect((await store.apply([shop("c")]))[0]?.outcome).toBe("configured");
    expect(kv.text(PLACE)).toContain("2020-02-02T20:00:00Z");
    expect(await store.apply([shop("c")])).toEqual([{ key: KEY, outcome: "unchanged", where: PLACE }]);
  });

  it("into the key where people put it, among others and with their comments", async () => {
    const { kv, store } = await setup();
    const text = `# ours\napiVersion: v1\nkind: Namespace\nmetadata: {name: shop} # this\n---\n# theirs\napiVersion: v1\nkind: Namespace\nmetadata: {name: bank}\n`;
    kv.put("inmesh/policy/by-hand/all.yaml", text);
    expect(await store.apply([shop("b")])).toEqual([
      { key: KEY, outcome: "configured", where: "inmesh/policy/by-hand/all.yaml" },
    ]);
    const written = kv.text("inmesh/policy/by-hand/all.yaml") ?? "";
    expect(written.slice(written.indexOf("---"))).toBe(text.slice(text.indexOf("---")));
    expect(written).toMatch(/^# ours\n[\s\S]*tier: b[\s\S]*# this\n---/);
    expect(kv.keys("inmesh/policy/")).toEqual(["inmesh/policy/by-hand/all.yaml"]);
    expect((await store.history(KEY))[0]?.before).toContain("name: shop");
  });

  it("to several documents of one key at once", async () => {
    const { kv, store } = await setup();
    kv.put(
      "inmesh/policy/all",
      "apiVersion: v1\nkind: Namespace\nmetadata: {name: one}\n---\napiVersion: v1\nkind: Namespace\nmetadata: {name: two}\n",
    );
    const results = await store.apply([namespace("one", { a: "b" }), namespace("two", { c: "d" })]);
    expect(results.map(({ outcome, where }) => `${outcome} ${where}`)).toEqual(
      Array(2).fill("configured inmesh/policy/all"),
    );
    expect(kv.text("inmesh/policy/all")).toMatch(/a: b[\s\S]*---[\s\S]*c: d/);
    expect(kv.asked.filter(isTransaction)).toHaveLength(1);
  });

  it("JSON as JSON, and a MeshConfig with its type unless its key is a mesh.yaml", async () => {
    const { kv, store } = await setup();
    kv.put(
      "inmesh/policy/shop.json",
      JSON.stringify({ apiVersion: "v1", kind: "Namespace", metadata: { name: "shop" } }),
    );
    await store.apply([shop("b")]);
    expect(JSON.parse(kv.text("inmesh/policy/shop.json") ?? "").metadata.labels).toEqual({ tier: "b" });
    const config = parseDocuments("connectTimeout: 3s", { file: "mesh.yaml" }).documents;
    await store.apply(config);
    expect(kv.text("inmesh/policy/istio-system/MeshConfig/mesh")).toMatch(
      /^apiVersion: mesh.istio.io\/v1alpha1\nkind: MeshConfig\nconnectTimeout: 3s\n/,
    );
    expect((await store.apply(config))[0]?.outcome).toBe("unchanged");
    await store.delete(["MeshConfig/istio-system/mesh"]);
    kv.put("inmesh/policy/mesh.yaml", "connectTimeout: 1s # ours\n");
    expect((await store.apply(config))[0]).toMatchObject({ outcome: "configured", where: "inmesh/policy/mesh.yaml" });
    expect(kv.text("inmesh/policy/mesh.yaml")).toBe("connectTimeout: 3s # ours\n");
  });

  it("over what stands in its place and is no policy", async () => {
    const { kv, store } = await setup();
    kv.put(PLACE, "a: [broken\n");
    expect((await store.apply([shop("a")]))[0]?.outcome).toBe("created");
    expect((await store.list()).map(({ key }) => key)).toEqual([KEY]);
    expect(kv.text(PLACE)).not.toContain("broken");
  });

  it("more than one transaction holds in several", async () => {
    const { kv, store } = await setup();
    const many = Array.from({ length: 100 }, (_, n) => namespace(`n-${n}`));
    expect((await store.apply(many)).every(({ outcome }) => outcome === "created")).toBe(true);
    const sizes = kv.asked.filter(isTransaction).map(({ body }) => JSON.parse(body.toString()).length);
    expect(sizes).toEqual([64, 64, 64, 8]);
    expect(await store.list()).toHaveLength(100);
  });

  it("in the order in which keys were made", async () => {
    const { kv, store } = await setup();
    for (const name of ["b", "c", "a"])
      kv.put(`inmesh/policy/${name}`, `apiVersion: v1\nkind: Namespace\nmetadata: {name: ${name}}\n`);
    kv.put("inmesh/policy/folder/", "");
    kv.put("inmesh/policy/c", "apiVersion: v1\nkind: Namespace\nmetadata: {name: c, labels: {again: yes}}\n");
    expect((await store.list()).map(({ name }) => name)).toEqual(["b", "c", "a"]);
  });
});

describe("ConsulStore deletes", () => {
  it("a document from every key that holds it, and a key with its last one", async () => {
    const { kv, store } = await setup();
    await store.apply([shop("a")]);
    kv.put("inmesh/policy/both", `${kv.text(PLACE)}---\napiVersion: v1\nkind: Namespace\nmetadata: {name: bank}\n`);
    const results = await store.delete([KEY, "Namespace/x/x"], { who: "ann" });
    expect(results.map(({ where, outcome }) => [where, outcome])).toEqual([
      [PLACE, "deleted"],
      ["inmesh/policy/both", "deleted"],
    ]);
    expect(kv.keys("inmesh/policy/")).toEqual(["inmesh/policy/both"]);
    expect((await store.list()).map(({ key }) => key)).toEqual(["Namespace/bank/bank"]);
    expect(brief(await store.history(KEY))).toEqual([
      ["2", "deleted", "a", undefined],
      ["1", "created", undefined, "a"],
    ]);
    expect(await store.delete([KEY])).toEqual([]);
  });
});

describe("ConsulStore and other writers", () => {
  it("loses nothing when twenty apply documents of their own at once", async () => {
    const { kv, open } = await setup();
    await Promise.all(Array.from({ length: 20 }, (_, n) => open(undefined, n).apply([namespace(`n-${n}`)])));
    expect(kv.keys("inmesh/policy/")).toHaveLength(20);
    expect(kv.keys("inmesh/history/")).toHaveLength(20);
  });

  it("loses nothing when six change documents of one key at once", async () => {
    const { kv, open } = await setup();
    const name = (n: number) => `apiVersion: v1\nkind: Namespace\nmetadata: {name: n-${n}}\n`;
    kv.put("inmesh/policy/all", Array.from({ length: 6 }, (_, n) => name(n)).join("---\n"));
    await Promise.all(
      Array.from({ length: 6 }, (_, n) => open(undefined, n).apply([namespace(`n-${n}`, { done: "yes" })])),
    );
    expect(kv.text("inmesh/policy/all")?.match(/done: yes/g)).toHaveLength(6);
    expect(kv.keys("inmesh/history/")).toHaveLength(6);
  });

  it("keeps every change of one document by twenty at once, each on top of the one before", async () => {
    const { open } = await setup();
    await Promise.all(
      Array.from({ length: 20 }, (_, n) => open(undefined, n).apply([shop(`t${n}`)], { who: `w${n}` })),
    );
    const revisions = await open().history(KEY);
    expect(revisions.map(({ id }) => Number(id))).toEqual(Array.from({ length: 20 }, (_, n) => 20 - n));
    expect(new Set(revisions.map(({ who }) => who)).size).toBe(20);
    for (const [index, { before }] of revisions.entries()) expect(before).toBe(revisions[index + 1]?.after);
  });

  it("makes a change on top of one that came in between", async () => {
    const { kv, store, open } = await setup();
    await store.apply([shop("a")]);
    const other = open();
    let once = true;
    kv.onAsked = async (asked) => {
      if (!isTransaction(asked) || !once) return undefined;
      once = false;
      await other.apply([shop("b")], { who: "bob" });
      return undefined;
    };
    await store.apply([shop("c")], { who: "ann" });
    expect(brief(await store.history(KEY))).toEqual([
      ["3", "configured", "b", "c"],
      ["2", "configured", "a", "b"],
      ["1", "created", undefined, "a"],
    ]);
  });

  it("gives up when there is no end to it, and says so", async () => {
    const kv = await FakeKv.start();
    onTestFinished(() => kv[Symbol.asyncDispose]());
    let now = 0;
    const clock = {
      ...systemClock,
      now: () => (now += 4_000),
      hold: (_: number, fn: () => void) => systemClock.hold(0, fn),
    };
    const store = new ConsulStore({ client: kv.client, parse: parseDocuments, clock, random: seededRandom(1) });
    kv.onAsked = (asked) =>
      isTransaction(asked)
        ? {
            status: 409,
            body: '{"Results":null,"Errors":[{"OpIndex":0,"What":"failed to set key \\"a\\", index is stale"}]}',
          }
        : undefined;
    await expect(store.apply([shop("a")])).rejects.toMatchObject({
      code: "CONFIG_UNAVAILABLE",
      message: expect.stringContaining(
        "others kept changing the keys below inmesh/policy/ and inmesh/services/ for 30 s",
      ),
    });
  });
});

describe("ConsulStore keeps history", () => {
  it("of the last fifty changes", async () => {
    const { kv, store } = await setup();
    for (let n = 1; n <= 50; n++) {
      const old = { id: `${n}`, key: KEY, at: n, who: "ann", outcome: "configured" };
      kv.put(`${HISTORY}${`${n}`.padStart(8, "0")}`, JSON.stringify(old));
    }
    for (let n = 51; n <= 53; n++) await store.apply([shop(`t${n}`)]);
    const ids = (await store.history(KEY)).map(({ id }) => Number(id));
    expect([ids.length, ids[0], ids.at(-1)]).toEqual([50, 53, 4]);
    expect(kv.keys(HISTORY)).toHaveLength(50);
  });

  it("packed where it is long, and leaves out what no value could hold", async () => {
    const { kv, store } = await setup();
    const long = "word ".repeat(10_000);
    await store.apply([shop("a", { spec: { long } })]);
    expect(kv.text(`${HISTORY}00000001`)?.length).toBeLessThan(2_000);
    expect((await store.history(KEY))[0]?.after).toBe(kv.text(PLACE));
    const random = seededRandom(3);
    const noise = () => Buffer.from(Uint8Array.from({ length: 250_000 }, () => random.int(256))).toString("base64");
    await store.apply([shop("b", { spec: { noise: noise() } })]);
    await store.apply([shop("c", { spec: { noise: noise() } })]);
    const [third, second] = await store.history(KEY);
    expect([third?.omitted, third?.before, third?.after]).toEqual([true, undefined, undefined]);
    expect([second?.omitted, second?.after?.length]).toEqual([undefined, expect.any(Number)]);
    expect(tierOf(kv.text(PLACE))).toBe("c");
  });

  it("leaves out what is no record", async () => {
    const { kv, store } = await setup();
    await store.apply([shop("a")]);
    kv.put(`${HISTORY}00000002`, "nonsense");
    kv.put(
      `${HISTORY}00000003`,
      JSON.stringify({ id: "3", key: KEY, at: 1, who: "x", outcome: "created", packed: "AAAA" }),
    );
    kv.put(`${HISTORY}note`, JSON.stringify({ id: "4", key: "Namespace/x/x", at: 1, who: "x", outcome: "created" }));
    expect((await store.history(KEY)).map(({ id }) => id)).toEqual(["1"]);
    await store.apply([shop("b")]);
    expect((await store.history(KEY)).map(({ id }) => id)).toEqual(["4", "1"]);
  });
});

describe("ConsulStore and the size of things", () => {
  it("refuses a document of more than 512 KiB before anything is sent, with advice", async () => {
    const { kv, store } = await setup();
    const failing = store.apply([namespace("small"), shop("a", { spec: { long: "x".repeat(524_288) } })]);
    await expect(failing).rejects.toMatchObject({ code: "CONFIG_INVALID" });
    await expect(failing).rejects.toThrow(/Namespace\/shop\/shop .* 524\d+ bytes .* at most 524288 .* Split it/);
    expect(kv.keys()).toEqual([]);
    expect(kv.asked.some(isTransaction)).toBe(false);
  });

  it("writes what a value can hold and a transaction cannot, with its record, and sees who came in between", async () => {
    const { kv, store, open } = await setup();
    const large = (letter: string) => shop(letter, { spec: { long: letter.repeat(500_000) } });
    await store.apply([namespace("before"), large("a"), namespace("after")], { who: "ann" });
    expect(kv.keys("inmesh/policy/")).toHaveLength(3);
    expect((await store.history(KEY))[0]).toMatchObject({ id: "1", who: "ann", after: kv.text(PLACE) });
    let once = true;
    kv.onAsked = async ({ method, path }) => {
      if (method !== "PUT" || path !== `/kv/${PLACE}` || !once) return undefined;
      once = false;
      kv.onAsked = () => undefined;
      await open().apply([shop("b")], { who: "bob" });
      return undefined;
    };
    await store.apply([large("c")], { who: "cid" });
    const revisions = await store.history(KEY);
    expect(revisions.map(({ who, before, after }) => [who, tierOf(before), tierOf(after)])).toEqual([
      ["cid", "b", "c"],
      ["bob", "a", "b"],
      ["ann", undefined, "a"],
    ]);
  });
});

describe("ConsulStore and a server in trouble", () => {
  it("tries again what failed in passing, and does not make a change twice whose answer was lost", async () => {
    const { kv, store } = await setup();
    const trouble = { status: 500, body: "rpc error making call: EOF" };
    let reads = 0;
    kv.onAsked = (asked) => (!isTransaction(asked) && ++reads <= 2 ? trouble : undefined);
    let once = true;
    kv.onAnswered = (asked) => {
      if (!isTransaction(asked) || !once) return undefined;
      once = false;
      return trouble;
    };
    expect(await store.apply([shop("a"), namespace("bank")])).toEqual([
      { key: KEY, outcome: "created", where: PLACE },
      { key: "Namespace/bank/bank", outcome: "created", where: "inmesh/policy/bank/Namespace/bank" },
    ]);
    expect(brief(await store.history(KEY))).toEqual([["1", "created", undefined, "a"]]);
    expect(kv.asked.filter(isTransaction)).toHaveLength(1);
  });

  it.each([
    [403, "ACL not found", /answered 403: ACL not found/],
    [400, "Bad request", /answered 400: Bad request/],
    [200, "{}", /something that is no list of keys/],
    [200, '[{"Key":1}]', /something that is no list of keys/],
    [200, '{"Results":[{"KV":{"Key":1}}]}', /something that is no list of keys/],
  ])("says what was answered to a question: %i %s", async (status, body, message) => {
    const { kv, store } = await setup();
    kv.onAsked = () => ({ status, body });
    const failing = store.list();
    await expect(failing).rejects.toMatchObject({ code: "CONFIG_UNAVAILABLE" });
    await expect(failing).rejects.toThrow(message);
    await expect(failing).rejects.not.toThrow(/s3cret/);
    await expect(store.history(KEY)).rejects.toMatchObject({ code: "CONFIG_UNAVAILABLE" });
  });

  it.each([
    [
      "a permission that is missing",
      409,
      '{"Results":null,"Errors":[{"OpIndex":0,"What":"Permission denied"}]}',
      /403/,
      403,
    ],
    ["a limit of its own", 413, "Request body(9 bytes) too large", /413: Request body\(9 bytes\) too large/, 413],
    ["another reason", 409, '{"Results":null,"Errors":[{"OpIndex":0,"What":"no such verb"}]}', /no such verb/, 409],
    ["no words at all", 200, "true", /did not say what a change came to/, 0],
  ])("says why a change is refused: %s", async (_, status, body, message, code) => {
    const { kv, store } = await setup();
    kv.onAsked = (asked) => (isTransaction(asked) ? { status, body } : undefined);
    const failing = store.apply([shop("a")]);
    await expect(failing).rejects.toMatchObject({ code: "CONFIG_UNAVAILABLE", cause: { status: code } });
    await expect(failing).rejects.toThrow(message);
    expect(kv.keys()).toEqual([]);
  });

  it("says at once that nobody is there", async () => {
    const { kv, store } = await setup();
    await kv[Symbol.asyncDispose]();
    await expect(store.apply([shop("a")])).rejects.toMatchObject({
      code: "CONFIG_UNAVAILABLE",
      cause: { kind: "unreachable" },
    });
  });
});
