import { systemClock } from "@inmesh/core";
import { seededRandom } from "@inmesh/core/testing";
import { type Document, documentFromValue, parseDocuments } from "@inmesh/model";
import { describe, expect, it, onTestFinished } from "vitest";
import { ConsulStore } from "./consul-store.js";
import { FakeKv, isTransaction } from "./fake-kv.test.helper.js";

const KEY = "VirtualService/shop/r";
const GENERAL = "inmesh/policy/shop/VirtualService/r";
const placeOf = (service: string) => `inmesh/services/shop/${service}/VirtualService/r`;

async function setup() {
  const kv = await FakeKv.start();
  onTestFinished(() => kv[Symbol.asyncDispose]());
  let seconds = 0;
  const clock = { ...systemClock, wallTime: () => Date.parse("2026-11-29T10:00:00Z") + 1_000 * seconds++ };
  const open = (seed = 1) => {
    const client = kv.another();
    onTestFinished(() => client.close());
    return new ConsulStore({ client, parse: parseDocuments, clock, random: seededRandom(seed) });
  };
  /** Done by somebody else before this one's first change arrives. */
  const meanwhile = (work: (other: ConsulStore) => Promise<unknown>) => {
    kv.onAsked = async (asked) => {
      if (!isTransaction(asked)) return undefined;
      kv.onAsked = () => undefined;
      await work(open(2));
      return undefined;
    };
  };
  return { kv, open, meanwhile, store: open() };
}

const document = (value: object): Document => documentFromValue(value).documents[0] ?? expect.fail("no document");

const route = (hosts: readonly string[], spec: object = {}): Document =>
  document({
    ...{ apiVersion: "networking.istio.io/v1", kind: "VirtualService" },
    ...{ metadata: { name: "r", namespace: "shop" }, spec: { hosts, ...spec } },
  });

const text = (hosts: string, created = "", more = "") =>
  `# ours\napiVersion: networking.istio.io/v1\nkind: VirtualService\nmetadata: { name: r, namespace: shop${created && `, creationTimestamp: ${created}`} } # this\nspec: { hosts: [ ${hosts} ]${more} }\n`;

const parsed = (text = "") => parseDocuments(text, { file: "r.yaml" }).documents;

const BANK = "apiVersion: v1\nkind: Namespace\nmetadata: { name: bank } # theirs\n";

const policyKeys = (kv: FakeKv) => kv.keys().filter((key) => !key.startsWith("inmesh/history/"));

/** Of each change the keys that hold it before and after it are one: each was made on top of the one before. */
async function expectChain(store: ConsulStore): Promise<void> {
  const revisions = await store.history(KEY);
  for (const [index, { before }] of revisions.entries()) expect(before).toBe(revisions[index + 1]?.after);
}

describe("a new document", () => {
  it.each([
    ["for one service of its namespace goes below that service", route(["reviews"]), placeOf("reviews")],
    ["for two goes to the policy for all", route(["reviews", "ratings"]), GENERAL],
    ["for another namespace's service goes to the policy for all", route(["reviews.bank.svc.cluster.local"]), GENERAL],
  ])("%s", async (_, given, where) => {
    const { kv, store } = await setup();
    expect(await store.apply([given])).toEqual([{ key: KEY, outcome: "created", where }]);
    expect(policyKeys(kv)).toEqual([where]);
    expect((await store.list()).map(({ key, origin }) => [key, origin.file])).toEqual([[KEY, where]]);
  });

  it("goes beside what people put into its key, or over what is no policy", async () => {
    const { kv, store } = await setup();
    kv.put(placeOf("reviews"), BANK);
    await store.apply([route(["reviews"])]);
    expect(kv.text(placeOf("reviews"))?.startsWith(`${BANK}---\n`)).toBe(true);
    kv.put(placeOf("ratings"), "a: [broken");
    await store.apply([route(["ratings"])]);
    expect(kv.text(placeOf("ratings"))).toContain("hosts:\n    - ratings");
    expect(kv.text(placeOf("reviews"))).toBe(BANK);
  });
});

describe("a document below a service", () => {
  it.each([
    ["another service", ["ratings"], placeOf("ratings")],
    ["several", ["reviews", "ratings"], GENERAL],
  ])("moves when it comes to be for %s, at once and with its time of creation", async (_, hosts, where) => {
    const { kv, store } = await setup();
    await store.apply([route(["reviews"])]);
    const [, created] = /creationTimestamp: (\S+)/.exec(kv.text(placeOf("reviews")) ?? "") ?? [];
    kv.asked.length = 0;
    expect(await store.apply([route(hosts)])).toEqual([{ key: KEY, outcome: "configured", where }]);
    expect(policyKeys(kv)).toEqual([where]);
    expect(kv.text(where)).toContain(`creationTimestamp: ${created}\n`);
    expect(kv.asked.filter(isTransaction)).toHaveLength(1);
    expect(await store.apply([route(hosts)])).toEqual([{ key: KEY, outcome: "unchanged", where }]);
    await expectChain(store);
  });

  it.each([
    "inmesh/services/shop/ratings/VirtualService/r",
    "inmesh/services/bank/reviews/VirtualService/r",
    "inmesh/services/shop/r.yaml",
    "inmesh/services/r.yaml",
  ])(
    "that it is not for moves when it is applied, though it says the same, as its author wrote it: %s",
    async (place) => {
      const { kv, store } = await setup();
      kv.put(place, text("reviews", "2020-02-02T20:00:00Z"));
      expect(await store.apply([route(["reviews"])])).toEqual([
        { key: KEY, outcome: "configured", where: placeOf("reviews") },
      ]);
      expect(policyKeys(kv)).toEqual([placeOf("reviews")]);
      expect(kv.text(placeOf("reviews"))).toBe(text("reviews", "2020-02-02T20:00:00Z"));
      expect((await store.apply([route(["reviews"])]))[0]?.outcome).toBe("unchanged");
    },
  );

  it("that it is for stays in the key where people put it", async () => {
    const { kv, store } = await setup();
    const place = "inmesh/services/shop/reviews/all.yaml";
    kv.put(place, text("reviews"));
    expect((await store.apply([route(["reviews"])]))[0]).toMatchObject({ outcome: "unchanged", where: place });
    expect((await store.apply([route(["reviews"], { exportTo: ["."] })]))[0]?.where).toBe(place);
    expect(policyKeys(kv)).toEqual([place]);
  });

  it("is taken out of a text of several, whose rest stays as it is", async () => {
    const { kv, store } = await setup();
    const place = "inmesh/services/shop/ratings/all.yaml";
    kv.put(place, `${text("reviews", "2020-02-02T20:00:00Z")}---\n${BANK}`);
    expect(await store.apply([route(["reviews"])])).toEqual([
      { key: KEY, outcome: "configured", where: placeOf("reviews") },
    ]);
    expect(kv.text(place)).toBe(`---\n${BANK}`);
    expect(kv.text(placeOf("reviews"))).toContain("2020-02-02T20:00:00Z");
    expect(await store.apply([document({ apiVersion: "v1", kind: "Namespace", metadata: { name: "bank" } })])).toEqual([
      { key: "Namespace/bank/bank", outcome: "configured", where: "inmesh/policy/bank/Namespace/bank" },
    ]);
    expect(policyKeys(kv)).toEqual(["inmesh/policy/bank/Namespace/bank", placeOf("reviews")]);
  });

  it("leaves what is of no kind of the mesh beside it where it is", async () => {
    const { kv, store } = await setup();
    const pod = "apiVersion: v1\nkind: Pod\nmetadata: { name: a }\n";
    kv.put(placeOf("ratings"), `${text("reviews")}---\n${pod}`);
    await store.apply([route(["reviews"])]);
    expect(kv.text(placeOf("ratings"))).toBe(`---\n${pod}`);
    expect(kv.text(placeOf("reviews"))).not.toContain("Pod");
  });

  it("goes beside what people put where it moves to", async () => {
    const { kv, store } = await setup();
    await store.apply([route(["ratings"])]);
    kv.put(placeOf("reviews"), BANK);
    await store.apply([route(["reviews"])]);
    expect(kv.text(placeOf("reviews"))?.startsWith(`${BANK}---\n`)).toBe(true);
    expect(policyKeys(kv)).toEqual([placeOf("reviews")]);
    expect((await store.list()).map(({ key }) => key)).toEqual(["Namespace/bank/bank", KEY]);
    await expectChain(store);
  });

  it("comes to be a MeshConfig with its type when it was a mesh.yaml", async () => {
    const { kv, store } = await setup();
    kv.put("inmesh/services/shop/reviews/mesh.yaml", "connectTimeout: 1s # ours\n");
    await store.apply(parseDocuments("connectTimeout: 1s", { file: "mesh.yaml" }).documents);
    expect(policyKeys(kv)).toEqual(["inmesh/policy/istio-system/MeshConfig/mesh"]);
    const moved = kv.text("inmesh/policy/istio-system/MeshConfig/mesh");
    expect(moved).toMatch(/connectTimeout: 1s # ours\n/);
    expect(moved).toContain("kind: MeshConfig\n");
  });
});

describe("a document below the policy for all", () => {
  it("stays in its own key as long as it says the same, and moves to its service when it changes", async () => {
    const { kv, store } = await setup();
    kv.put(GENERAL, text("reviews", "2020-02-02T20:00:00Z"));
    expect(await store.apply([route(["reviews"])])).toEqual([{ key: KEY, outcome: "unchanged", where: GENERAL }]);
    expect(await store.apply([route(["reviews"], { exportTo: ["."] })])).toEqual([
      { key: KEY, outcome: "configured", where: placeOf("reviews") },
    ]);
    expect(policyKeys(kv)).toEqual([placeOf("reviews")]);
    expect(kv.text(placeOf("reviews"))).toMatch(/^# ours\n[\s\S]*2020-02-02T20:00:00Z[\s\S]*# this\n/);
  });

  it.each([
    ["in a key that people named", "inmesh/policy/by-hand/r.yaml", ""],
    ["among others, though the key is its own", GENERAL, `---\n${BANK}`],
  ])("stays %s", async (_, place, beside) => {
    const { kv, store } = await setup();
    kv.put(place, `${text("reviews")}${beside}`);
    expect(await store.apply([route(["ratings"])])).toEqual([{ key: KEY, outcome: "configured", where: place }]);
    expect(policyKeys(kv)).toEqual([place]);
  });
});

describe("a document in several keys", () => {
  it("stands in one of them after its move, the older one's successor", async () => {
    const { kv, store } = await setup();
    kv.put(placeOf("ratings"), text("reviews", "2020-02-02T20:00:00Z", ", exportTo: [ mine ]"));
    kv.put(placeOf("reviews"), text("reviews", "2021-02-02T20:00:00Z"));
    kv.put("inmesh/policy/by-hand/all", `${text("reviews", "2020-02-02T20:00:00Z")}---\n${BANK}`);
    expect(await store.apply([route(["reviews"])])).toEqual([
      { key: KEY, outcome: "configured", where: placeOf("reviews") },
    ]);
    expect(policyKeys(kv)).toEqual(["inmesh/policy/by-hand/all", placeOf("reviews")]);
    expect(kv.text("inmesh/policy/by-hand/all")).toBe(`---\n${BANK}`);
    expect(kv.text(placeOf("reviews"))?.match(/name: r\b/g)).toHaveLength(1);
    expect(kv.text(placeOf("reviews"))).toContain("2020-02-02T20:00:00Z");
    expect((await store.history(KEY))[0]?.before).toContain("exportTo: [ mine ]");
  });

  it("and twice in one text, too", async () => {
    const { kv, store } = await setup();
    kv.put(placeOf("ratings"), `${text("reviews")}---\n${text("reviews")}`);
    await store.apply([route(["reviews"])]);
    expect(policyKeys(kv)).toEqual([placeOf("reviews")]);
    expect(kv.text(placeOf("reviews"))?.match(/name: r\b/g)).toHaveLength(1);
  });

  it("is deleted from all", async () => {
    const { kv, store } = await setup();
    for (const place of [placeOf("reviews"), placeOf("ratings"), GENERAL]) kv.put(place, text("reviews"));
    expect((await store.delete([KEY])).map(({ where }) => where)).toEqual([
      placeOf("reviews"),
      placeOf("ratings"),
      GENERAL,
    ]);
    expect(policyKeys(kv)).toEqual([]);
  });
});

describe("what is below both", () => {
  it("is told in the order in which keys were made, and read as of one moment", async () => {
    const { kv, store } = await setup();
    const named = (name: string) => `apiVersion: v1\nkind: Namespace\nmetadata: { name: ${name} }\n`;
    kv.put("inmesh/services/shop/reviews/b", named("b"));
    kv.put("inmesh/policy/c", named("c"));
    kv.put("inmesh/services/shop/reviews/a", named("a"));
    kv.put("inmesh/services/shop/reviews/folder/", "");
    expect((await store.list()).map(({ name }) => name)).toEqual(["b", "c", "a"]);
    expect(kv.asked).toHaveLength(1);
  });

  it("must be writable for a token to be good, and nothing is written to know that", async () => {
    const { kv, store } = await setup();
    expect(await store.obstacle("shop")).toBeUndefined();
    const denied = (part: string) => {
      kv.onAsked = ({ body }) => {
        const { KV } = (JSON.parse(body.toString()) as { KV: { Key: string } }[]).find((each) =>
          each.KV.Key.startsWith(part),
        ) ?? { KV: undefined };
        return KV && { status: 409, body: JSON.stringify({ Errors: [{ OpIndex: 0, What: "Permission denied" }] }) };
      };
      return store.obstacle("shop");
    };
    expect(await denied("inmesh/policy/shop/")).toMatch(/403: Permission denied/);
    expect(await denied("inmesh/services/shop/")).toMatch(/403: Permission denied/);
    expect(await denied("inmesh/services/bank/")).toBeUndefined();
    expect(kv.keys()).toEqual([]);
  });
});

describe("history", () => {
  it("goes back across moves", async () => {
    const { kv, store } = await setup();
    await store.apply([route(["reviews"])], { who: "ann" });
    const first = kv.text(placeOf("reviews"));
    await store.apply([route(["ratings"])], { who: "bob" });
    const [latest] = await store.history(KEY);
    expect(latest).toMatchObject({ id: "2", who: "bob", outcome: "configured", before: first });
    await store.apply(parsed(latest?.before), { who: "ann" });
    expect(policyKeys(kv)).toEqual([placeOf("reviews")]);
    expect(kv.text(placeOf("reviews"))).toBe(first);
    await store.delete([KEY]);
    await store.apply(parsed((await store.history(KEY))[0]?.before));
    expect(kv.text(placeOf("reviews"))).toBe(first);
    expect((await store.history(KEY)).map(({ id, outcome }) => `${id} ${outcome}`)).toEqual([
      "5 created",
      "4 deleted",
      "3 configured",
      "2 configured",
      "1 created",
    ]);
  });
});

describe("a move and another writer", () => {
  it.each([
    ["moves it elsewhere", ["reviews", "ratings"]],
    ["moves it to the same place", ["details"]],
    ["changes it where it is", ["reviews"]],
  ])("who %s: it stands in one key, on top of that", async (_, theirs) => {
    const { kv, store, meanwhile } = await setup();
    await store.apply([route(["reviews"])]);
    meanwhile((other) => other.apply([route(theirs, { exportTo: ["."] })], { who: "bob" }));
    expect(await store.apply([route(["details"])], { who: "ann" })).toEqual([
      { key: KEY, outcome: "configured", where: placeOf("details") },
    ]);
    expect(policyKeys(kv)).toEqual([placeOf("details")]);
    expect((await store.history(KEY)).map(({ who }) => who)).toEqual(["ann", "bob", "unknown"]);
    await expectChain(store);
  });

  it("who makes it first, for others: it is changed, not made twice", async () => {
    const { kv, store, meanwhile } = await setup();
    meanwhile((other) => other.apply([route(["reviews", "ratings"])], { who: "bob" }));
    expect((await store.apply([route(["reviews"])]))[0]?.outcome).toBe("configured");
    expect(policyKeys(kv)).toEqual([placeOf("reviews")]);
    await expectChain(store);
  });

  it("who deletes what moves, and who moves what is deleted", async () => {
    const { kv, store, meanwhile } = await setup();
    await store.apply([route(["reviews"])]);
    meanwhile((other) => other.delete([KEY]));
    expect((await store.apply([route(["ratings"])]))[0]?.outcome).toBe("created");
    expect(policyKeys(kv)).toEqual([placeOf("ratings")]);
    meanwhile((other) => other.apply([route(["ratings", "reviews"])]));
    expect(await store.delete([KEY])).toEqual([{ key: KEY, outcome: "deleted", where: GENERAL }]);
    expect(policyKeys(kv)).toEqual([]);
    await expectChain(store);
  });

  const BEFORE = [
    [1, "what is there is read"],
    [2, "the place of the record is looked for"],
    [3, "what is there is read again"],
    [4, "the change is made"],
  ] as const;
  /** Another one moves it before this question. */
  const movedBefore = (number: number, kv: FakeKv, other: ConsulStore) => {
    let questions = 0;
    kv.onAsked = async () => {
      if (++questions !== number) return undefined;
      kv.onAsked = () => undefined;
      await other.apply([route(["reviews", "ratings"])]);
      return undefined;
    };
  };

  it.each(BEFORE)("who moves it before question %i, when %s: it stands in one key", async (number) => {
    for (const first of [[], [route(["reviews"])]]) {
      const { kv, store, open } = await setup();
      await store.apply(first);
      movedBefore(number, kv, open(2));
      expect((await store.apply([route(["details"])]))[0]?.where).toBe(placeOf("details"));
      expect(policyKeys(kv)).toEqual([placeOf("details")]);
      await expectChain(store);
    }
  });

  it.each(BEFORE)("who moves it before question %i, when %s: it is deleted all the same", async (number) => {
    const { kv, store, open } = await setup();
    await store.apply([route(["reviews"])]);
    movedBefore(number, kv, open(2));
    expect((await store.delete([KEY]))[0]?.where).toBe(GENERAL);
    expect(policyKeys(kv)).toEqual([]);
    await expectChain(store);
  });

  it("loses no neighbour in a text that both take documents out of", async () => {
    const { kv, open } = await setup();
    const place = "inmesh/services/shop/nobody/all";
    const named = (n: number) => `apiVersion: v1\nkind: Namespace\nmetadata: { name: n-${n} }\n`;
    kv.put(place, Array.from({ length: 5 }, (_, n) => named(n)).join("---\n"));
    await Promise.all(
      Array.from({ length: 4 }, (_, n) =>
        open(n).apply([document({ apiVersion: "v1", kind: "Namespace", metadata: { name: `n-${n}` } })]),
      ),
    );
    expect(policyKeys(kv)).toEqual([...[0, 1, 2, 3].map((n) => `inmesh/policy/n-${n}/Namespace/n-${n}`), place]);
    expect(kv.text(place)?.match(/name: n-\d/g)).toEqual(["name: n-4"]);
  });

  it("ends in one key of ten that were wanted at once", async () => {
    const { kv, open, store } = await setup();
    const hosts = (n: number) => (n % 2 === 0 ? [`s-${n}`] : [`s-${n}`, `t-${n}`]);
    await Promise.all(Array.from({ length: 10 }, (_, n) => open(n).apply([route(hosts(n))])));
    expect(policyKeys(kv)).toHaveLength(1);
    expect(await store.history(KEY)).toHaveLength(10);
    await expectChain(store);
  });

  it("and a size that no transaction holds: the new key is there before the old one goes", async () => {
    const { kv, store, open } = await setup();
    const large = (host: string) => route([host], { long: host.repeat(500_000 / host.length) });
    await store.apply([large("reviews")]);
    let once = true;
    const seen: string[][] = [];
    kv.onAsked = async ({ method, path }) => {
      if (method !== "DELETE" || path !== `/kv/${placeOf("reviews")}`) return undefined;
      seen.push(policyKeys(kv));
      if (!once) return undefined;
      once = false;
      await open(2).apply([route(["reviews"])], { who: "bob" });
      return undefined;
    };
    await store.apply([large("ratings")], { who: "ann" });
    expect(seen[0]).toEqual([placeOf("ratings"), placeOf("reviews")]);
    expect(policyKeys(kv)).toEqual([placeOf("ratings")]);
    expect((await store.history(KEY)).map(({ who }) => who)).toEqual(["ann", "bob", "unknown"]);
    await expectChain(store);
  });
});
