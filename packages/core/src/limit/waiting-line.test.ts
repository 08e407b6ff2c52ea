import { describe, expect, it } from "vitest";
import { WaitingLine } from "./waiting-line.js";

const numbered = (count: number) => Array.from({ length: count }, (_, number) => ({ number }));

describe("WaitingLine", () => {
  it("lets go in the order of arrival, passing over those that left", () => {
    const line = new WaitingLine<{ number: number }>();
    const [a, b, c, d] = numbered(4) as [{ number: number }, ...{ number: number }[]] & { length: 4 };
    for (const each of [a, b!, c!]) line.add(each);
    expect([line.delete(a), line.delete(a), line.size, line.first]).toEqual([true, false, 2, b]);
    line.add(d!);
    expect([line.shift(), line.shift(), line.shift(), line.shift()]).toEqual([b, c, d, undefined]);
    expect([line.size, line.first]).toEqual([0, undefined]);
  });

  it("keeps its order over many, and once it was empty", () => {
    const line = new WaitingLine<{ number: number }>();
    for (let round = 0; round < 2; round++) {
      const all = numbered(5_000);
      for (const each of all) line.add(each);
      for (const each of all) if (each.number % 3 === 0) line.delete(each);
      expect([...line].length).toBe(line.size);
      const seen: number[] = [];
      for (let next = line.shift(); next !== undefined; next = line.shift()) seen.push(next.number);
      expect(seen).toEqual(all.filter(({ number }) => number % 3 !== 0).map(({ number }) => number));
    }
  });
});
