import { seededRandom } from "@inmesh/core";
import { FakeClock } from "@inmesh/core/testing";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { ConsulClient } from "../client/consul-client.js";
import { parseConsulUrl } from "../client/consul-url.js";
import { type Script, ScriptedConsul, until } from "../scripted-consul.test.helper.js";
import { BlockingQuery } from "./blocking-query.js";

const PATH = "/v1/health/service/web";
/** Ms in which a watch may ask fewer than twenty times. */
const TEN_S = 10_000;

let consul: ScriptedConsul;
let client: ConsulClient;
const clock = new FakeClock();
const queries: BlockingQuery[] = [];

beforeEach(async () => {
  consul = await ScriptedConsul.start();
  client = new ConsulClient(parseConsulUrl(consul.url, {}));
});

afterEach(async () => {
  for (const query of queries.splice(0)) query.close();
  client.close();
  await consul.close();
  expect(clock.pending).toBe(0);
});

function watch({ endsOn = -1 } = {}) {
  const seen: unknown[] = [];
  let [settled, asked] = [0, 0];
  const counting: Pick<ConsulClient, "ask" | "shown"> = {
    shown: client.shown,
    ask: (request) => {
      asked += 1;
      return client.ask(request);
    },
  };
  const query = new BlockingQuery({
    ...{ client: counting, clock, random: seededRandom(3), path: "/health/service/web" },
    onAnswer: ({ body }) => {
      const text = JSON.stringify(body);
      if (text === JSON.stringify(seen.at(-1))) return false;
      seen.push(body);
      return true;
    },
    onSettled: () => {
      settled += 1;
    },
    endsWith: ({ status }) => status === endsOn,
  });
  queries.push(query);
  query.start();
  return {
    query,
    seen,
    get settled() {
      return settled;
    },
    get asked() {
      return asked;
    },
  };
}

/** Lets `ms` pass, timer by timer, each after the network has come to rest. */
async function pass(ms: number, state: ReturnType<typeof watch>): Promise<void> {
  const end = clock.now() + ms;
  for (;;) {
    await until(() => state.settled === state.asked, "every question to be answered");
    if (clock.nextAt > end) break;
    clock.step();
  }
  clock.advance(end - clock.now());
}

describe("BlockingQuery", () => {
  it("asks without an index first, then with the one it was told, stale and with a wait of at most a minute", async () => {
    consul.set(PATH, [1]);
    const { seen } = watch();
    await until(() => consul.held(PATH) === 1);
    consul.set(PATH, [1, 2]);
    await until(() => seen.length === 2);
    const [first, second] = consul.asked(PATH);
    expect([first?.query.get("index"), first?.query.get("wait"), first?.query.has("stale")]).toEqual([
      null,
      null,
      true,
    ]);
    expect(second?.query.get("index")).toBe("12");
    const waitMs = Number(second?.query.get("wait")?.replace("ms", ""));
    expect(waitMs).toBeGreaterThan(53_000);
    expect(waitMs).toBeLessThanOrEqual(60_000);
    expect(second?.query.has("stale")).toBe(true);
  });

  it("starts over when the index goes back, is zero or is missing", async () => {
    for (const index of ["3", "0", "", "x"]) {
      consul.set(PATH, [index]);
      const { query } = watch();
      await until(() => consul.held(PATH) === 1);
      const before = consul.count(PATH);
      consul.script(PATH, ({ query: asked }) =>
        asked.has("index") ? { headers: { "x-consul-index": index }, body: ["back", index] } : "hold",
      );
      consul.wake(PATH);
      await until(() => consul.held(PATH) === 1 && consul.count(PATH) === before + 1, `index ${index}`);
      expect(consul.asked(PATH).at(-1)?.query.has("index")).toBe(false);
      query.close();
      consul.script(PATH, undefined);
      await until(() => consul.held(PATH) === 0);
    }
  });

  it("never takes the index from an answer that is not good", async () => {
    consul.set(PATH, [1]);
    const { query, ...state } = watch();
    await until(() => consul.held(PATH) === 1);
    consul.script(PATH, () => ({
      status: 500,
      headers: { "x-consul-index": "1" },
      body: "rpc error making call: EOF",
    }));
    consul.wake(PATH);
    await until(() => query.failure !== undefined);
    expect(query.failure).toMatchObject({ kind: "failed", status: 500 });
    expect(query.answered).toBe(true);
    consul.script(PATH, undefined);
    clock.advance(1_000);
    await until(() => consul.held(PATH) === 1);
    expect(consul.asked(PATH).map((request) => request.query.get("index"))).toEqual([null, "12", null, "12"]);
    expect(query.failure).toBeUndefined();
    expect(state.seen).toEqual([[1]]);
  });

  it.each<[string, Script]>([
    ["500", () => ({ status: 500, body: "No cluster leader" })],
    ["429", () => ({ status: 429, body: "too many" })],
    ["403", () => ({ status: 403, body: "Permission denied" })],
    ["answers that are cut off", () => "cut"],
    ["an index that grows with each answer", grows()],
    ["the same index and answer at once", () => ({ headers: { "x-consul-index": "5" }, body: [] })],
    ["other content each time, at once", changes()],
    ["no index at all", () => ({ headers: { "x-consul-index": "" }, body: [] })],
    ["something that is no JSON", () => ({ headers: { "content-type": "application/json" }, body: "<html>" })],
  ])("asks fewer than twice a second when the server gives %s", async (_, script) => {
    consul.script(PATH, script);
    const state = watch();
    await pass(TEN_S, state);
    const asked = consul.count(PATH);
    expect(asked).toBeLessThan(20);
    expect(asked).toBeGreaterThanOrEqual(3); // it goes on
  });

  it("asks at once after a change, since more may follow", async () => {
    consul.set(PATH, [0]);
    const { seen } = watch();
    for (let change = 1; change <= 6; change++) {
      await until(() => consul.held(PATH) === 1);
      consul.set(PATH, [change]);
      await until(() => seen.length === change + 1);
    }
    expect(clock.pending).toBe(1); // the limit of the one that is held
  });

  it.each<[string, Script, object]>([
    ["cut off", () => "cut", { kind: "garbled", message: expect.stringContaining("cut off") }],
    [
      "no JSON",
      () => ({ headers: { "content-type": "application/json" }, body: "{" }),
      { kind: "garbled", message: expect.stringContaining("no JSON") },
    ],
    [
      "a refusal",
      () => ({ status: 403, body: "ACL not found" }),
      { kind: "refused", status: 403, message: expect.stringContaining("403: ACL not found") },
    ],
  ])("says of an answer that is %s what it is", async (_, script, expected) => {
    consul.script(PATH, script);
    const { query } = watch();
    await until(() => query.failure !== undefined);
    expect(query.failure).toMatchObject(expected);
  });

  it("gives up a question that is held beyond its wait, and asks anew", async () => {
    consul.set(PATH, [1]);
    const { query, ...state } = watch();
    await until(() => consul.held(PATH) === 1);
    consul.script(PATH, () => "hang");
    clock.advance(60_000 + 60_000 / 16 + 10_000);
    await until(() => query.failure !== undefined);
    expect(query.failure).toMatchObject({
      kind: "unreachable",
      message: expect.stringContaining("did not answer within"),
    });
    consul.script(PATH, undefined);
    clock.advance(1_000);
    await until(() => query.failure === undefined);
    expect(state.seen).toEqual([[1]]);
  });

  it("notices a connection that ends, and one that nobody accepts", async () => {
    consul.set(PATH, [1]);
    const { query } = watch();
    await until(() => consul.held(PATH) === 1);
    consul.cut();
    await until(() => query.failure !== undefined);
    expect(query.failure?.kind).toBe("unreachable");
    await consul.close();
    clock.advance(1_000);
    await until(() => query.failure?.message.includes("nothing listens there") === true);
  });

  it("asks anew when told to, and does not take that for a failure", async () => {
    consul.set(PATH, [1]);
    const { query } = watch();
    await until(() => consul.held(PATH) === 1);
    query.renew(clock.now()); // asked at this moment, not before it
    clock.stall(1);
    query.renew(clock.now());
    await until(() => consul.held(PATH) === 1 && consul.count(PATH) === 4);
    expect(consul.asked(PATH).at(2)?.query.has("index")).toBe(false);
    expect(query.failure).toBeUndefined();
  });

  it("ends where there is nothing to ask for, until the server is another", async () => {
    consul.script(PATH, () => ({ status: 400, body: "no such thing" }));
    const state = watch({ endsOn: 400 });
    await until(() => state.query.answered);
    expect([state.query.failure, clock.pending]).toEqual([undefined, 0]);
    consul.script(PATH, undefined);
    consul.set(PATH, [1]);
    state.query.renew(0);
    clock.advance(500);
    await until(() => state.seen.length === 1);
  });

  it("withdraws its question when closed, and says nothing any more", async () => {
    consul.set(PATH, [1]);
    const state = watch();
    await until(() => consul.held(PATH) === 1);
    const { settled } = state;
    state.query.close();
    await until(() => consul.held(PATH) === 0);
    expect(state.settled).toBe(settled);
  });
});

function grows(): Script {
  let index = 100;
  return () => ({ headers: { "x-consul-index": String(index++) }, body: [] });
}

function changes(): Script {
  let index = 100;
  return () => ({ headers: { "x-consul-index": String(index++) }, body: [index] });
}
