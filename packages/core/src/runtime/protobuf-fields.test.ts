import { describe, expect, it } from "vitest";
import { protobufFields } from "./protobuf-fields.js";

const read = (...bytes: number[]) =>
  [...protobufFields(Uint8Array.from(bytes))].map(({ number, value, bytes: content }) => [number, value, ...content]);

describe("protobufFields", () => {
  it("reads numbers of each width, and what has a length", () => {
    expect(read(0x08, 0x96, 0x01)).toEqual([[1, 150]]);
    expect(read(0x15, 1, 2, 0, 0)).toEqual([[2, 513]]);
    expect(read(0x19, 7, 0, 0, 0, 0, 0, 0, 0)).toEqual([[3, 7]]);
    expect(read(0x22, 2, 65, 66, 0x82, 0x01, 0)).toEqual([
      [4, 0, 65, 66],
      [16, 0],
    ]);
  });

  it.each([
    ["a number that is cut off", [0x08, 0x96]],
    ["a number without an end", [0x08, ...Array<number>(12).fill(0xff)]],
    ["a length beyond the end", [0x0a, 5, 1]],
    ["a fixed number that is cut off", [0x0d, 1]],
    ["a group", [0x0b]],
  ])("refuses %s", (_, bytes) => {
    expect(() => read(...bytes)).toThrow(RangeError);
  });
});
