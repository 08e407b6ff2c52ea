import { FakeClock } from "@inmesh/core/testing";
import { describe, expect, it } from "vitest";
import { Handshakes } from "./handshakes.js";

function setup() {
  const clock = new FakeClock();
  const handshakes = new Handshakes(clock);
  const begun: number[] = [];
  const over: (() => void)[] = [];
  const begin = (count: number): void => {
    for (let n = 0; n < count; n++) {
      handshakes.begin((end) => {
        begun.push(clock.now());
        over.push(end);
      });
    }
  };
  return { clock, begin, begun, over };
}

describe("Handshakes", () => {
  it("lets 16 run at once, and each that ends makes room for the one that came first", () => {
    const { begin, begun, over } = setup();
    begin(20);
    expect(begun).toHaveLength(16);
    over[3]?.();
    over[3]?.(); // once
    expect(begun).toHaveLength(17);
    for (const end of over.splice(4)) end();
    expect(begun).toHaveLength(20);
  });

  it("does not wait for those that take longer than 250 ms", () => {
    const { clock, begin, begun, over } = setup();
    begin(40);
    clock.advance(249);
    expect(begun).toHaveLength(16);
    clock.advance(1);
    expect(begun).toHaveLength(32);
    for (const end of over) end();
    expect(begun).toHaveLength(40);
    expect(clock.pending).toBe(0);
  });
});
