/** The terminal itself: takes it over, draws whole frames at a bounded rate, and gives it back as it was. */

import type { Output } from "../io.js";
import type { Paint } from "../output/paint.js";
import { type Line, renderLine } from "./styled-line.js";

export interface TerminalOptions {
  readonly output: Output & { readonly rows?: number | undefined; on?(event: "resize", listener: () => void): unknown };
  readonly paint: Paint;
  /** @returns the lines to show */
  readonly frame: (columns: number, rows: number) => readonly Line[];
}

/** Between two frames, in ms: 4 Hz. */
const FRAME_MS = 250;
const ENTER = "\x1b[?1049h\x1b[?25l\x1b[?7l\x1b[2J"; // other screen, no cursor, no wrapping
const LEAVE = "\x1b[?7h\x1b[?25h\x1b[?1049l";
const HOME = "\x1b[H";
const END_OF_LINE = "\x1b[K";
const END_OF_SCREEN = "\x1b[J";

export class Terminal {
  readonly #options: TerminalOptions;
  #timer: NodeJS.Timeout | undefined;
  #drawnAt = Number.NEGATIVE_INFINITY;
  #active = false;

  constructor(options: TerminalOptions) {
    this.#options = options;
  }

  enter(): void {
    this.#active = true;
    this.#options.output.write(ENTER);
    this.#options.output.on?.("resize", () => {
      if (this.#active) this.#options.output.write("\x1b[2J");
      this.redraw();
    });
    this.redraw();
  }

  /** Something changed: draws now, or when the rate allows it. */
  redraw(): void {
    if (!this.#active || this.#timer !== undefined) return;
    const wait = this.#drawnAt + FRAME_MS - performance.now();
    if (wait <= 0) return this.#draw();
    this.#timer = setTimeout(() => {
      this.#timer = undefined;
      this.#draw();
    }, wait);
    this.#timer.unref();
  }

  /** Idempotent, and synchronous: also for the last moment of a process that fails. */
  leave(): void {
    if (!this.#active) return;
    this.#active = false;
    clearTimeout(this.#timer);
    this.#options.output.write(LEAVE);
  }

  #draw(): void {
    const { output, paint, frame } = this.#options;
    // The last column stays empty: with the cursor behind it, erasing the rest of the line would erase it too.
    const columns = Math.max(20, output.columns ?? 80) - 1;
    const rows = Math.max(5, output.rows ?? 24);
    this.#drawnAt = performance.now();
    const lines = frame(columns, rows).slice(0, rows);
    const text = lines.map((line) => `${renderLine(line, columns, paint)}${END_OF_LINE}`).join("\r\n");
    output.write(`${HOME}${text}${END_OF_SCREEN}`);
  }
}
