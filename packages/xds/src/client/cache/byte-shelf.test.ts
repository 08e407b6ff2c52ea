import { describe, expect, it } from "vitest";
import { ByteShelf } from "./byte-shelf.js";

describe("ByteShelf", () => {
  it.each([1, 100, 512, 513, 5_000])("keeps copies of %s bytes as they were, whatever comes after them", (length) => {
    const shelf = new ByteShelf();
    const sent = Array.from({ length: 50 }, (_, index) => new Uint8Array(length).fill(index));
    const kept = sent.map((bytes) => shelf.copy(bytes));
    for (const bytes of sent) bytes.fill(255); // the answer is somebody else's again
    expect(kept).toEqual(sent.map((_, index) => new Uint8Array(length).fill(index)));
  });

  it("puts small ones side by side, in buffers that no big one keeps", () => {
    const shelf = new ByteShelf();
    const buffers = (length: number) =>
      new Set(Array.from({ length: 16 }, () => shelf.copy(new Uint8Array(length)).buffer)).size;
    expect([buffers(128), buffers(4_096)]).toEqual([1, 16]);
  });

  it("copies nothing as nothing", () => {
    expect(new ByteShelf().copy(new Uint8Array(0))).toEqual(new Uint8Array(0));
  });
});
