import { describe, expect, it } from "vitest";
import { line } from "./styled-line.js";
import { Terminal } from "./terminal.js";

function setup(columns = 10, rows = 5) {
  const written: string[] = [];
  let resize = (): void => {};
  const output = {
    columns,
    rows,
    write: (text: string) => written.push(text),
    on: (_: "resize", listener: () => void) => {
      resize = listener;
    },
  };
  let frames = 0;
  const frame = (width: number, height: number) => {
    frames += 1;
    return Array.from({ length: height + 2 }, () => line("x".repeat(width + 5)));
  };
  const terminal = new Terminal({ output, paint: (_, text) => text, frame });
  return { terminal, output, written, resize: () => resize(), frames: () => frames };
}

describe("Terminal", () => {
  it("takes the screen and gives it back once", () => {
    const { terminal, written } = setup();
    terminal.leave();
    expect(written).toEqual([]); // never taken
    terminal.enter();
    terminal.leave();
    terminal.leave();
    expect(written[0]).toBe("\x1b[?1049h\x1b[?25l\x1b[?7l\x1b[2J");
    expect(written.filter((text) => text.includes("?1049l"))).toEqual(["\x1b[?7h\x1b[?25h\x1b[?1049l"]);
  });

  it("draws no more than fits, and leaves the last column empty", () => {
    const { terminal, written } = setup(40, 6);
    terminal.enter();
    // biome-ignore lint/suspicious/noControlCharactersInRegex: escape codes are what is taken out
    const lines = (written[1] ?? "").replace(/\x1b\[\??\d*[A-Za-z]/g, "").split("\r\n");
    expect([lines.length, ...new Set(lines.map(({ length }) => length))]).toEqual([6, 39]);
    terminal.leave();
  });

  it("draws a burst of changes in one frame", () => {
    const { terminal, frames } = setup();
    terminal.enter();
    for (let change = 0; change < 100; change++) terminal.redraw();
    expect(frames()).toBe(1);
    terminal.leave();
  });
});
