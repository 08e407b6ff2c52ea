import { setTimeout as delay } from "node:timers/promises";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import {
  type Behaviour,
  type DevAgent,
  findConsul,
  garbage,
  httpStatus,
  Relay,
  reply,
  silent,
  slow,
  startDevAgent,
  truncated,
} from "../peer/index.js";
import { fillShop, putResource, register, targetOf, WatchedShop } from "./watched-shop.js";

const binary = findConsul("what becomes of a mesh whose Consul answers badly");
const TOKEN = "0f6a3f3e-0000-4000-8000-00000000beef";
/** Of bad answers, in ms. */
const BAD_MS = 5_000;
/** The bound for one watch. */
const MOST_PER_SECOND = 2;

let agent: DevAgent;
beforeAll(async () => {
  if (binary === undefined) return;
  agent = await startDevAgent(binary);
  await fillShop(agent);
});
afterAll(() => agent?.[Symbol.asyncDispose]());

/** What is answered, and what the status says of it: what happened, where, and what to do about it where that is known. */
const BAD: readonly (readonly [string, Behaviour, RegExp])[] = [
  ["500, as without a leader", httpStatus(500, "No cluster leader"), /WHERE answered 500: No cluster leader/],
  ["429, as at a limit", httpStatus(429, "too many concurrent connections"), /WHERE answered 429: too many/],
  ["503 of a load balancer", httpStatus(503, "<html>upstream</html>"), /WHERE answered 503/],
  ["400", httpStatus(400, "Bad request"), /WHERE answered 400: Bad request/],
  [
    "a token that is not known",
    httpStatus(403, "ACL not found"),
    /WHERE answered 403: ACL not found; .*CONSUL_HTTP_TOKEN/,
  ],
  [
    "a token that may not",
    httpStatus(403, "Permission denied"),
    /WHERE answered 403: Permission denied; the token may not/,
  ],
  ["answers cut off", truncated, /WHERE: the answer was cut off/],
  ["HTML", garbage, /WHERE: the answer is no JSON/],
  ["JSON of another shape", reply(200, { a: 1 }, { "x-consul-index": "9" }), /WHERE answered a question for .* else/],
  ["null", reply(200, "null", { "x-consul-index": "9" }), /WHERE answered a question for .* else/],
  ["nothing in it", reply(200, "", { "x-consul-index": "9" }), /WHERE/],
  ["a redirect", reply(302, "", { location: "http://127.0.0.1:1/" }), /WHERE answered 302; Consul never redirects/],
  ["resets", ({ cut }) => cut(), /WHERE: the connection was lost/],
  ["no answer", silent, /WHERE did not answer within \d+ s/],
];

describe.skipIf(binary === undefined).concurrent("a Consul that answers with", () => {
  it.each(BAD)(
    "%s: nothing is lost, the reason is said, and it is not asked more than twice a second",
    async (...row) => {
      const [, behaviour, reason] = row;
      await using relay = await Relay.start(agent.port);
      await using shop = new WatchedShop(targetOf(relay.port, { token: TOKEN }));
      await shop.shows(["first"]);
      const where = new RegExp(reason.source.replace("WHERE", `consul://127\\.0\\.0\\.1:${relay.port}`));
      relay.behaviour = behaviour;
      const since = performance.now();
      await register(agent, "noise", "1"); // what is held is answered now
      await delay(BAD_MS);
      await shop.isStale(where);
      expect(shop.status.reason).not.toContain(TOKEN);
      expect(mostPerSecond(relay, since)).toBeLessThanOrEqual(MOST_PER_SECOND);
      expect(shop.shown).toEqual({ resources: ["first"], instances: ["9000", "9001", "9002"] });
      relay.behaviour = undefined;
      await shop.isFresh();
      await shop.shows(["first"]);
    },
  );

  it.each(BAD.filter(([name]) => /500|not known|HTML|resets/.test(name)))(
    "%s from the start: says so and shows nothing, not even that there is nothing",
    async (...row) => {
      const [, behaviour, reason] = row;
      await using relay = await Relay.start(agent.port);
      relay.behaviour = behaviour;
      await using shop = new WatchedShop(targetOf(relay.port));
      await shop.isStale(new RegExp(reason.source.replace("WHERE", `consul://127\\.0\\.0\\.1:${relay.port}`)));
      expect(shop.view).toBeUndefined();
      relay.behaviour = undefined;
      await shop.shows(["first"]);
      expect(shop.status.state).toBe("fresh");
    },
  );

  const OK_BUT_ODD: readonly (readonly [string, Behaviour])[] = [
    ["no index", indexed(() => undefined)],
    ["an index of 0", indexed(() => "0")],
    ["an index that goes back and forth", indexed((asked) => (asked === "9" ? "5" : "9"))],
    ["slowly", slow(1_000)],
  ];

  it.each(OK_BUT_ODD)("%s: is believed, and not asked more than twice a second", async (_, behaviour) => {
    const service = `odd-${Math.round(performance.now() * 1_000)}`;
    await fillShop(agent, service, service);
    await using relay = await Relay.start(agent.port);
    relay.behaviour = behaviour;
    await using shop = new WatchedShop(targetOf(relay.port, { prefix: service }), { service });
    await shop.shows(["first"]);
    const since = performance.now();
    await putResource(agent, "second", service);
    await shop.shows(["first", "second"]);
    await delay(BAD_MS);
    expect(mostPerSecond(relay, since)).toBeLessThanOrEqual(MOST_PER_SECOND);
    expect(shop.status.state).toBe("fresh");
  });

  it("nobody there: nothing is lost, and what changed meanwhile is seen when it is back", async () => {
    await using relay = await Relay.start(agent.port);
    await using shop = new WatchedShop(targetOf(relay.port, { prefix: "away" }), { service: "away" });
    await fillShop(agent, "away", "away");
    await shop.shows(["first"]);
    await relay.close();
    await shop.isStale(new RegExp(`consul://127\\.0\\.0\\.1:${relay.port}\\?prefix=away: nothing listens there`));
    await register(agent, "away", "9003");
    expect(shop.shown.instances).toEqual(["9000", "9001", "9002"]);
    await relay.open();
    await shop.shows(["first"], ["9000", "9001", "9002", "9003"]);
    await shop.isFresh();
  });
});

/** Of the path that was asked for most. */
function mostPerSecond(relay: Relay, since: number): number {
  const counts = new Map<string, number>();
  for (const { path } of relay.since(since)) counts.set(path, (counts.get(path) ?? 0) + 1);
  return Math.max(0, ...counts.values()) / ((performance.now() - since) / 1_000);
}

function indexed(choose: (asked: string | null) => string | undefined): Behaviour {
  return async ({ ask, send, request }) => {
    const { headers, ...answer } = await ask();
    const { "x-consul-index": _, ...others } = headers;
    const index = choose(request.query.get("index"));
    send({ ...answer, headers: { ...others, ...(index !== undefined && { "x-consul-index": index }) } });
  };
}
