import { describe, expect, it } from "vitest";
import { FakeClock } from "../../../../core/src/runtime/fake-clock.js";
import { Callers } from "./callers.js";
import { Refusals } from "./refusals.js";

describe("Refusals", () => {
  function setup() {
    const clock = new FakeClock();
    const said: string[] = [];
    return { clock, said, refusals: new Refusals(clock, (message) => said.push(message)) };
  }

  it("says each reason once a minute, and how many there were since", () => {
    const { clock, said, refusals } = setup();
    for (let i = 0; i < 5; i++) refusals.note("plaintext", `10.0.0.${i}`);
    refusals.note("noCertificate", "10.0.0.9");
    clock.advance(60_000);
    refusals.note("plaintext", "10.0.0.7");
    expect(said).toEqual([
      "a caller in plaintext was refused: PeerAuthentication is STRICT: 10.0.0.0",
      "a caller without a certificate was refused: 10.0.0.9",
      "a caller in plaintext was refused: PeerAuthentication is STRICT: 10.0.0.7 (and 4 more since the last line)",
    ]);
    expect(refusals.read()).toEqual({ plaintext: 6, noCertificate: 1 });
  });

  it("says what lasts once, until it is over", () => {
    const { clock, said, refusals } = setup();
    for (let i = 0; i < 3; i++) {
      refusals.note("ownExpired");
      clock.advance(100_000);
    }
    expect(said).toHaveLength(1);
    refusals.over("ownExpired");
    refusals.note("ownExpired");
    expect(said).toHaveLength(2);
  });

  it("counts probes and says nothing", () => {
    const { said, refusals } = setup();
    refusals.note("closedSilently");
    expect([said, refusals.read()]).toEqual([[], { closedSilently: 1 }]);
  });
});

describe("Callers", () => {
  it("forgets who was silent longest, beyond 500", () => {
    const callers = new Callers();
    for (let i = 0; i < 501; i++) callers.plain(`10.0.${i >> 8}.${i & 255}`, "curl", i).lastAt = i;
    const names = callers.read(501).map(({ caller }) => caller);
    expect([names.length, names.includes("10.0.0.0 (curl)"), names.includes("10.0.0.1 (curl)")]).toEqual([
      500,
      false,
      true,
    ]);
  });

  it("shows of a user agent what is printable, and not all of a long one", () => {
    const { caller } = new Callers().plain("::1", `a\u001b[31m${"b".repeat(200)}`, 0);
    expect(caller).toBe(`::1 (a?[31m${"b".repeat(74)})`);
  });
});
