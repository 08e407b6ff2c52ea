import { describe, expect, it } from "vitest";
import { LineSplitter } from "./line-splitter.js";

function split(...pieces: (string | Buffer)[]): string[] {
  const lines: string[] = [];
  const splitter = new LineSplitter((line) => lines.push(line));
  for (const piece of pieces) splitter.push(Buffer.from(piece));
  splitter.end();
  return lines;
}

describe("LineSplitter", () => {
  it.each<[string, (string | Buffer)[], string[]]>([
    ["lines across pieces", ["a\nb", "c\r\n", "d"], ["a", "bc", "d"]],
    ["characters across pieces", [Buffer.from([0xc3]), Buffer.from([0xa9, 0x0a])], ["é"]],
    ["colours", ["\x1b[31mred\x1b[0m\n"], ["red"]],
    ["empty lines", ["\n\n"], ["", ""]],
  ])("reads %s", (_, pieces, lines) => expect(split(...pieces)).toEqual(lines));

  it("does not keep a line that never ends", () => {
    const lines = split(...Array.from({ length: 100 }, () => "x".repeat(1_000)));
    expect(lines.length).toBeGreaterThan(10);
    expect(Math.max(...lines.map(({ length }) => length))).toBeLessThanOrEqual(5_000);
  });
});
