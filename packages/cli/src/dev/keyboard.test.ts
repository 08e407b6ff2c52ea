import { PassThrough } from "node:stream";
import { describe, expect, it } from "vitest";
import { Keyboard } from "./keyboard.js";

async function keysOf(...chunks: string[]): Promise<string[]> {
  const input = new PassThrough();
  const keys: string[] = [];
  new Keyboard(input, new AbortController().signal).start((key) => keys.push(key));
  for (const chunk of chunks) {
    input.write(chunk);
    await new Promise((resolve) => setImmediate(resolve));
  }
  return keys;
}

describe("Keyboard", () => {
  it("takes each character for a key and Ctrl-C for q", async () => {
    expect(await keysOf("ok", "w", "\x03")).toEqual(["o", "k", "w", "q"]);
  });

  it("takes no arrow key for its letters", async () => {
    expect(await keysOf("\x1b[A", "k", "\x1bOf")).toEqual(["k"]);
  });

  it("puts a terminal into raw mode and back", () => {
    const modes: boolean[] = [];
    const input = Object.assign(new PassThrough(), { isTTY: true, setRawMode: (raw: boolean) => modes.push(raw) });
    const keyboard = new Keyboard(input, new AbortController().signal);
    keyboard.start(() => {});
    keyboard.stop();
    expect(modes).toEqual([true, false]);
  });
});
