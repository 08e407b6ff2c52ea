import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { describe, expect, it } from "vitest";
import { outcomesOf } from "../admin/outcomes-view.js";
import { answers, inTurn, refuses, silent } from "../testing/behaviour.js";
import { testEngine } from "../testing/test-engine.js";

setFlagsFromString("--expose-gc");
const collect = runInNewContext("gc") as () => void;

const A = "10.0.0.1:80";
const RETRY = { on: ["connect-failure", "5xx"], maxAttempts: 2, backoffBaseMs: 10 };

describe("the record of a call that is over", () => {
  it.each([
    ["went well", inTurn(answers(200)), ["answered 200"], ""],
    ["went well at its second attempt", inTurn(refuses(), answers(200)), ["refused", "answered 200"], ""],
    ["failed", inTurn(refuses(), refuses()), ["refused", "refused"], "CONNECT_FAILED"],
    ["was given up", inTurn(silent()), ["cancelled"], ""],
  ])("that %s keeps no caller, body or error alive, and tells it all", async (what, script, outcomes, code) => {
    const test = testEngine({ clusters: { reviews: [A] }, hosts: { reviews: [{ retry: RETRY }] } });
    test.network.script("*", script);
    const held = await made();
    test.network.written.length = 0; // it has a memory of its own
    await new Promise((resolve) => setImmediate(resolve)); // a WeakRef holds until the turn ends
    collect();
    expect(held.map((each) => each.deref())).toEqual(held.map(() => undefined));
    const [record] = test.engine.recorder.calls();
    expect(record).toMatchObject({ method: "POST", path: "/a", query: "b=1", attemptCount: outcomes.length, code });
    expect(record!.attempts.map(({ outcome }) => outcome)).toEqual(outcomes);
    expect([record!.requestHeader("x"), record!.cluster?.config.name]).toEqual(["1", "reviews"]);

    /** In a function of its own, whose variables are gone with it. */
    async function made(): Promise<WeakRef<object>[]> {
      const { call, exchange } = test.prepare("reviews", { method: "POST", path: "/a?b=1", headers: ["x", "1"] });
      const caller = { asks: exchange };
      exchange.canReplay = () => caller.asks === exchange;
      const reason = new Error("enough", { cause: { body: Buffer.alloc(16) } });
      test.engine.start(call);
      if (what === "was given up") call.abort(reason);
      for (let turn = 0; turn < 20; turn++) {
        test.clock.advance(25);
        await new Promise((resolve) => setImmediate(resolve));
      }
      expect(call.ended).toBe(true);
      const errors = [call.error, ...(call.earlier ?? []).map(({ error }) => error)];
      return [caller, reason, ...errors.filter((error) => error instanceof Error)].map((each) => new WeakRef(each));
    }
  });

  it.each([
    ["application/grpc", "14", 14, true],
    ["application/grpc", "0", 0, false],
    ["application/json", "14", -1, false],
  ])("keeps of an answer to %s with status %s of gRPC: %i, failed: %s", (type, status, kept, failed) => {
    const test = testEngine({ clusters: { reviews: [A] } });
    test.network.script("*", answers(200, { headers: { "grpc-status": status } }));
    test.send("reviews", { headers: ["content-type", type] });
    test.clock.advance(10);
    const [view] = outcomesOf(test.engine.recorder.read());
    expect([view?.grpcStatus, view?.failed]).toEqual([kept, failed]);
  });
});
