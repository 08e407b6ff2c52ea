/** Single keys from the terminal, without waiting for Enter. */

import type { Io } from "../io.js";

interface RawInput {
  setRawMode(raw: boolean): unknown;
  readonly isTTY?: boolean;
}

/** Sent by a terminal in raw mode, where Ctrl-C is a key like any other. */
const CTRL_C = "\x03";

export class Keyboard {
  readonly #input: Io["stdin"];
  readonly #signal: AbortSignal;

  constructor(input: Io["stdin"], signal: AbortSignal) {
    this.#input = input;
    this.#signal = signal;
  }

  /** Calls `onKey` for each key until the input ends; Ctrl-C comes as `q`. */
  start(onKey: (key: string) => void): void {
    if (isRaw(this.#input)) this.#input.setRawMode(true);
    void this.#read(onKey).catch(() => {}); // a terminal that is torn away is told by its signal
  }

  /** Gives the terminal back. */
  stop(): void {
    if (isRaw(this.#input)) this.#input.setRawMode(false);
  }

  async #read(onKey: (key: string) => void): Promise<void> {
    const decoder = new TextDecoder();
    for await (const chunk of this.#input) {
      if (this.#signal.aborted) return;
      const text = typeof chunk === "string" ? chunk : decoder.decode(chunk, { stream: true });
      if (text.startsWith("\x1b") && text.length > 1) continue; // an arrow or function key
      for (const key of text) onKey(key === CTRL_C ? "q" : key);
    }
  }
}

function isRaw(input: Io["stdin"]): input is Io["stdin"] & RawInput {
  return "setRawMode" in input && typeof input.setRawMode === "function" && "isTTY" in input && input.isTTY === true;
}
