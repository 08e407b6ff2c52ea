/** What a command touches of the world, as an argument: tests run commands in-process with streams of their own. */

import { hostname, userInfo } from "node:os";
import { type Clock, systemClock } from "@inmesh/core";
import type { Prompter } from "./init/prompter.js";

export interface Output {
  write(text: string): unknown;
  readonly isTTY?: boolean | undefined;
  readonly columns?: number | undefined;
}

export interface Io {
  /** Data, and nothing else. */
  readonly stdout: Output;
  /** Everything that is not data. */
  readonly stderr: Output;
  readonly stdin: AsyncIterable<string | Uint8Array> & { readonly isTTY?: boolean };
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly cwd: string;
  readonly clock: Clock;
  /** Who is at the keyboard, for the history: `name@machine`. */
  readonly user: string;
  /** Aborts when the user interrupts. */
  readonly signal: AbortSignal;
  /** Asks the person at the terminal. @default by @clack/prompts, loaded with the first question */
  readonly prompter?: Prompter;
  /**
   * From now on signals to this process go to `listener` instead of `signal`: for a command that stands in front of
   * another program. @returns undoes it
   */
  readonly takeSignals?: (listener: (signal: NodeJS.Signals) => void) => () => void;
}

export function processIo(signal: AbortSignal, takeSignals: NonNullable<Io["takeSignals"]>): Io {
  return {
    stdout: process.stdout,
    stderr: process.stderr,
    stdin: process.stdin,
    env: process.env,
    cwd: process.cwd(),
    clock: systemClock,
    user: systemUser(),
    signal,
    takeSignals,
  };
}

/** A user of a container may have no name: then its number stands for it. */
function systemUser(): string {
  const { USER, USERNAME } = process.env;
  let name = USER || USERNAME || `uid-${process.getuid?.() ?? "unknown"}`;
  try {
    name = userInfo().username;
  } catch {}
  return `${name}@${hostname()}`;
}

export async function readAll(input: AsyncIterable<string | Uint8Array>): Promise<string> {
  const decoder = new TextDecoder();
  let text = "";
  for await (const chunk of input) text += typeof chunk === "string" ? chunk : decoder.decode(chunk, { stream: true });
  return text + decoder.decode();
}

/** Lines without their ends; a last line without an end counts, an empty rest does not. */
export async function* readLines(input: AsyncIterable<string | Uint8Array>): AsyncGenerator<string> {
  const decoder = new TextDecoder();
  let rest = "";
  for await (const chunk of input) {
    const lines = (rest + (typeof chunk === "string" ? chunk : decoder.decode(chunk, { stream: true }))).split("\n");
    rest = lines.pop() ?? "";
    for (const line of lines) yield line.endsWith("\r") ? line.slice(0, -1) : line;
  }
  rest += decoder.decode();
  if (rest !== "") yield rest;
}
