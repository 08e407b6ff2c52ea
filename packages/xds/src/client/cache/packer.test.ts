import { seededRandom } from "@inmesh/core/testing";
import { describe, expect, it } from "vitest";
import { LARGEST_PACKED, Packer, unpack } from "./packer.js";

const text = (words: string) => new TextEncoder().encode(words);

function packed(packer: Packer, bytes: Uint8Array) {
  const parts = packer.pack(bytes).slice();
  const { dictionary } = packer;
  return { size: parts.length, again: () => unpack(parts, bytes.length, dictionary) };
}

describe("Packer", () => {
  it("gives back what it was given, whatever that is", () => {
    const random = seededRandom(7);
    const packer = new Packer();
    let before: Uint8Array = text("the first one");
    const all = Array.from({ length: 3_000 }, (_, round) => {
      // Of few letters, so that they repeat; every other one is one of those before with parts moved, cut and changed.
      const letters = 1 + random.int(round % 7 === 0 ? 256 : 4);
      const fresh = Uint8Array.from({ length: random.int(round % 50 === 0 ? LARGEST_PACKED + 1 : 200) }, () =>
        random.int(letters),
      );
      const [from, to] = [random.int(before.length), random.int(before.length)];
      const bytes =
        round % 2 === 0 ? fresh : Buffer.concat([before.subarray(from), fresh.subarray(0, 9), before.subarray(0, to)]);
      before = bytes.subarray(0, 1_000);
      return { bytes: Uint8Array.from(bytes), piece: packed(packer, bytes.subarray(0, LARGEST_PACKED)) };
    });
    // All of them at the end: what came later, and other dictionaries, changed nothing.
    for (const { bytes, piece } of all)
      expect(Buffer.compare(piece.again(), bytes.subarray(0, LARGEST_PACKED))).toBe(0);
  });

  it("writes what is like one before as what is its own, and a name that is there again once", () => {
    const packer = new Packer();
    const cluster = (name: string) =>
      text(`name: ${name}, type: EDS, service: ${name}, connect_timeout: 10s, tls: istio`);
    const first = packed(packer, cluster("reviews.shop.svc.cluster.local"));
    const second = packed(packer, cluster("ratings.books.svc.cluster.local"));
    expect([first.size <= 4, second.size < 40]).toEqual([true, true]); // the first one is in the dictionary
    expect(second.again()).toEqual(cluster("ratings.books.svc.cluster.local"));
  });

  it("takes a fraction of the room for what is alike, and as much as it is for what is not", () => {
    const room = (pieces: readonly Uint8Array[]) => {
      const packer = new Packer();
      const dictionaries = new Map<object, number>();
      let sum = 0;
      for (const bytes of pieces) {
        sum += packer.pack(bytes).length;
        dictionaries.set(packer.dictionary, packer.dictionary.bytes.length);
      }
      for (const size of dictionaries.values()) sum += size;
      return sum / pieces.reduce((all, { length }) => all + length, 0);
    };
    const random = seededRandom(1);
    const alike = Array.from({ length: 1_000 }, (_, index) => text(`{name: service-${index}, url: "type.test/a.b.C"}`));
    const unlike = Array.from({ length: 500 }, () => Uint8Array.from({ length: 300 }, () => random.int(256)));
    expect(room(alike)).toBeLessThan(0.3);
    expect(room(unlike)).toBeLessThan(1.1);
  });

  it("begins another dictionary where one is full, and learns what is like anew", () => {
    const random = seededRandom(1);
    const packer = new Packer();
    const other = () => Uint8Array.from({ length: 1_000 }, () => random.int(256));
    const pieces = Array.from({ length: 40 }, other).map((bytes) => ({ bytes, piece: packed(packer, bytes) }));
    for (const { bytes, piece } of pieces) expect(piece.again()).toEqual(bytes);
    expect(packer.dictionary.bytes.length).toBeLessThanOrEqual(16_384);
    const [last] = pieces.slice(-1);
    expect(packed(packer, last?.bytes ?? other()).size).toBeLessThan(10);
  });
});
