import { describe, expect, it } from "vitest";
import { Call, type NoRetryReason } from "./call.js";
import type { Exchange } from "./exchange.js";
import { Tries } from "./tries.js";

const NOBODY: Exchange = { send() {}, canReplay: () => true, passThrough() {}, reply() {}, fail() {} };

function asked(path = "/a", method = "GET"): Call {
  return new Call(NOBODY, method, "http", "reviews", 80, "reviews", path, []);
}

/** A call that is over. */
function over(call: Call, attempts: number, noRetry: NoRetryReason | undefined, status = 503): Call {
  call.attempts = attempts;
  call.noRetry = noRetry;
  call.status = status;
  return call;
}

describe("Tries", () => {
  it("adds up what failed calls of one request have spent", () => {
    const tries = new Tries();
    tries.note(over(asked(), 3, "attempts_exhausted"), 0);
    const second = asked();
    second.spent = tries.before(second, 10);
    tries.note(over(second, 1, "tried_before"), 20);
    expect(tries.before(asked(), 30)).toBe(4);
  });

  it("knows the span of the call that is repeated, until one goes well", () => {
    const tries = new Tries();
    const failed = over(asked(), 1, "retries_off");
    failed.span = { traceId: "t", spanId: "s", sampled: true } as NonNullable<Call["span"]>;
    tries.note(failed, 0);
    expect(tries.spanBefore(asked(), 10)).toEqual({ traceId: "t", spanId: "s", sampled: true });
    expect([tries.spanBefore(asked("/b"), 10), tries.spanBefore(asked(), 60_001)]).toEqual([undefined, undefined]);
    tries.note(over(asked(), 1, undefined, 200), 20);
    expect(tries.spanBefore(asked(), 30)).toBeUndefined();
  });

  it("knows nothing of other methods and paths", () => {
    const tries = new Tries();
    tries.note(over(asked(), 3, "attempts_exhausted"), 0);
    expect([tries.before(asked("/b"), 0), tries.before(asked("/a", "PUT"), 0)]).toEqual([0, 0]);
  });

  it("forgets with a success, and not with an answer that libraries try again", () => {
    const tries = new Tries();
    tries.note(over(asked(), 2, undefined, 429), 0);
    expect(tries.before(asked(), 0)).toBe(2);
    tries.note(over(asked(), 1, undefined, 404), 0);
    expect(tries.before(asked(), 0)).toBe(2);
    tries.note(over(asked(), 1, undefined, 200), 0);
    expect(tries.before(asked(), 0)).toBe(0);
  });

  it("counts what failed for another reason than that nothing was left to try", () => {
    const tries = new Tries();
    const overflowed = over(asked(), 1, undefined);
    overflowed.error = new Error("a retry was one request too many");
    tries.note(overflowed, 0);
    expect(tries.before(asked(), 0)).toBe(1);
  });

  it("takes the most of calls that ran beside each other", () => {
    const tries = new Tries();
    tries.note(over(asked(), 3, "attempts_exhausted"), 0);
    tries.note(over(asked(), 1, "not_retriable"), 1);
    expect(tries.before(asked(), 2)).toBe(3);
  });

  it("takes a pause of more than a minute for the end of it", () => {
    const tries = new Tries();
    tries.note(over(asked(), 3, "attempts_exhausted"), 0);
    expect([tries.before(asked(), 60_000), tries.before(asked(), 60_001)]).toEqual([3, 0]);
  });

  it("keeps 64 requests, the latest ones", () => {
    const tries = new Tries();
    for (let each = 0; each < 100; each++) tries.note(over(asked(`/${each}`), 1, "retries_off"), each);
    const known = Array.from({ length: 100 }, (_, each) => tries.before(asked(`/${each}`), 100));
    expect(known).toEqual([...Array(36).fill(0), ...Array(64).fill(1)]);
  });
});
