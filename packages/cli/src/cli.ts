/** What every command is given: the world, and the few ways to speak to it. */

import type { Io } from "./io.js";
import { createPaint, type Paint, printable } from "./output/paint.js";

export interface Cli {
  readonly io: Io;
  /** For stdout and for stderr: one may be a terminal while the other is a pipe. */
  readonly paint: Paint;
  readonly paintNote: Paint;
  /** Data, to stdout. */
  print(text: string): void;
  /** A line about the data, to stderr; nothing under `--quiet`. */
  note(line: string): void;
  /** A line that even `--quiet` does not silence. */
  warn(line: string): void;
  /** What is being done, to stderr; nothing without `--verbose`. */
  trace(line: string): void;
}

export interface CliOptions {
  readonly quiet: boolean;
  /** @default false */
  readonly verbose?: boolean;
  readonly colour: boolean;
}

export function createCli(io: Io, { quiet, verbose = false, colour }: CliOptions): Cli {
  const env = colour ? io.env : { FORCE_COLOR: "0" };
  const paintNote = createPaint(io.stderr, env);
  return {
    io,
    paint: createPaint(io.stdout, env),
    paintNote,
    print: (text) => void io.stdout.write(text),
    note: (line) => void (quiet || io.stderr.write(`${printable(line)}\n`)),
    trace: (line) => void (verbose && io.stderr.write(`${paintNote("dim", printable(line))}\n`)),
    warn: (line) => void io.stderr.write(`${paintNote("yellow", "warning")} ${printable(line)}\n`),
  };
}
