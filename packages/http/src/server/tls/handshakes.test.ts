import type { Clock } from "@inmesh/core";
import { describe, expect, it } from "vitest";
import { FakeClock } from "../../../../core/src/runtime/fake-clock.js";
import { type Applicant, Handshakes } from "./handshakes.js";

const turn = () => new Promise((resolve) => setImmediate(resolve));

/** Handshakes that take so long of the clock each time one begins. */
function setup(limits: { handshakes?: number; turnMs?: number; placeMs?: number }, takesMs = 0) {
  const clock = new FakeClock();
  const begun: number[] = [];
  const handshakes = new Handshakes(clock as Clock, { handshakes: 100, turnMs: 5, placeMs: 250, ...limits });
  const applicants = Array.from({ length: 20 }, (_, index): Applicant => {
    return {
      begin: () => {
        begun.push(index);
        clock.advance(takesMs);
      },
    };
  });
  return { clock, begun, handshakes, applicants };
}

describe("Handshakes", () => {
  it("begins as many in a turn of the loop as its time allows, in order of arrival", async () => {
    const { begun, handshakes, applicants } = setup({ turnMs: 5 }, 2);
    for (const each of applicants) handshakes.add(each);
    expect(begun).toEqual([]);
    await turn();
    expect(begun).toEqual([0, 1, 2]); // 6 ms
    await turn();
    expect(begun).toEqual([0, 1, 2, 3, 4, 5]);
  });

  it("has cheap ones begin together", async () => {
    const { begun, handshakes, applicants } = setup({ turnMs: 5 }, 0.5);
    for (const each of applicants) handshakes.add(each);
    await turn();
    expect(begun).toHaveLength(10);
  });

  it("keeps so many under way, and goes on when one is over", async () => {
    const { begun, handshakes, applicants } = setup({ handshakes: 3 });
    for (const each of applicants) handshakes.add(each);
    await turn();
    expect([begun.length, handshakes.running, handshakes.waiting]).toEqual([3, 3, 17]);
    handshakes.remove(applicants[1]!);
    handshakes.remove(applicants[3]!); // left while it waited
    await turn();
    expect(begun).toEqual([0, 1, 2, 4]);
    handshakes.close();
  });

  it("takes a place from who lets it lie idle", async () => {
    const { begun, clock, handshakes, applicants } = setup({ handshakes: 2, placeMs: 100 });
    for (const each of applicants.slice(0, 4)) handshakes.add(each);
    await turn();
    clock.advance(99);
    await turn();
    expect(begun).toEqual([0, 1]);
    clock.advance(1);
    await turn();
    expect(begun).toEqual([0, 1, 2, 3]);
    expect([handshakes.running, handshakes.waiting]).toEqual([2, 0]);
  });

  it("begins more, and keeps more under way, where the process is busy and its turns are long", async () => {
    const { begun, clock, handshakes, applicants } = setup({ handshakes: 4, turnMs: 5 }, 2);
    for (const each of applicants) handshakes.add(each);
    clock.advance(100); // whatever else the process does
    await turn();
    expect([begun.length, handshakes.running]).toEqual([8, 8]); // 15 ms; 12 places
    clock.advance(100);
    await turn();
    expect([begun.length, handshakes.running]).toEqual([12, 12]);
    for (const each of applicants) handshakes.remove(each);
    handshakes.close();
  });

  it("forgets a long turn within a few", async () => {
    const { begun, clock, handshakes, applicants } = setup({ handshakes: 1_000, turnMs: 5 }, 1);
    handshakes.add(applicants[0]!);
    clock.advance(100);
    await turn();
    for (let quiet = 0; quiet < 6; quiet++) {
      handshakes.add(applicants[1 + quiet]!);
      await turn();
    }
    begun.length = 0;
    for (const each of applicants.slice(7)) handshakes.add(each);
    await turn();
    expect(begun).toHaveLength(5);
    handshakes.close();
  });
});
