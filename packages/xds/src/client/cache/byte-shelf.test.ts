import { createHash } from "node:crypto";
import { describe, expect, it } from "vitest";
import { ByteShelf } from "./byte-shelf.js";

const filled = (length: number, value = 0) => new Uint8Array(length).fill(value);
const hash = (text: string) => createHash("sha256").update(text).digest("hex");

describe("ByteShelf", () => {
  it.each([0, 1, 100, 127, 128, 512, 513, 5_000])(
    "keeps %s bytes as they were, whatever comes after them",
    (length) => {
      const shelf = new ByteShelf();
      const sent = Array.from({ length: 50 }, (_, index) => filled(length, index));
      const kept = sent.map((bytes, index) => shelf.keep(bytes, String(index)));
      for (const bytes of sent) bytes.fill(255); // the answer is somebody else's again
      expect(kept.map((each) => each.read())).toEqual(sent.map((_, index) => filled(length, index)));
      expect(kept.map(({ version }) => version)).toEqual(sent.map((_, index) => String(index)));
      expect(kept.map((each) => each.equals(filled(length, 7)))).toEqual(sent.map((_, at) => at === 7 || length === 0));
    },
  );

  it.each([
    undefined,
    "",
    "0",
    "42",
    "ab",
    "AB",
    "abc",
    "é",
    "2026-11-28T10:00:00Z/34",
    hash("a"),
    hash("b").toUpperCase(),
  ])("gives back the version %s", (version) => {
    const kept = new ByteShelf().keep(filled(3, 1), version);
    expect([kept.version, kept.read()]).toEqual([version, filled(3, 1)]);
  });

  it("has the same bytes under another version, and their neighbours as they were", () => {
    const shelf = new ByteShelf();
    const kept = Array.from({ length: 30 }, (_, index) => shelf.keep(filled(60, index), hash(String(index))));
    for (const [index, each] of kept.entries())
      if (index % 2 === 0) each.move(shelf.renamed(each, filled(60, index), `now ${index}`)!); // another version
    expect(kept.map((each) => each.read())).toEqual(kept.map((_, index) => filled(60, index)));
    const versions = kept.map((_, index) => (index % 2 === 0 ? `now ${index}` : hash(String(index))));
    expect(kept.map(({ version }) => version)).toEqual(versions);
  });

  it("writes nothing for a version that is the same", () => {
    const shelf = new ByteShelf();
    const kept = shelf.keep(filled(60), hash("a"));
    const { byteOffset } = kept.read();
    expect(shelf.renamed(kept, filled(60), hash("a"))).toBe(undefined);
    expect(kept.read().byteOffset).toBe(byteOffset);
  });

  it("gives a big one a buffer of its own", () => {
    const shelf = new ByteShelf();
    const kept = Array.from({ length: 3 }, () => shelf.keep(filled(10_000), "1").read().buffer);
    expect([new Set(kept).size, kept.every(({ byteLength }) => byteLength < 10_100)]).toEqual([3, true]);
  });
});
