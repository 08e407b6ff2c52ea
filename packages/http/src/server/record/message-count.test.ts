import { describe, expect, it } from "vitest";
import { MessageCount } from "./message-count.js";

function message(bytes: number): Buffer {
  const framed = Buffer.alloc(5 + bytes, 7);
  framed[0] = 0;
  framed.writeUInt32BE(bytes, 1);
  return framed;
}

describe("MessageCount", () => {
  it.each([
    ["one", [3]],
    ["empty ones", [0, 0, 0]],
    ["a long one between short ones", [1, 70_000, 2]],
  ])("counts %s, wherever chunks are cut", (_, lengths) => {
    const body = Buffer.concat(lengths.map(message));
    for (const size of [1, 2, 3, 4, 5, 6, 7, 4_096, body.length]) {
      const count = new MessageCount();
      for (let at = 0; at < body.length; at += size) count.add(body.subarray(at, at + size));
      expect([size, count.messages]).toEqual([size, lengths.length]);
    }
  });

  it("counts a message whose length has its highest bit set, and nothing in it", () => {
    const count = new MessageCount();
    count.add(Buffer.from([0, 0x80, 0, 0, 0]));
    count.add(Buffer.alloc(10_000));
    expect(count.messages).toBe(1);
  });
});
