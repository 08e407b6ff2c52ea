/** A parser of what strangers send: a name, a header, a path, a certificate, a token. */

import type { Random } from "@inmesh/core";

export interface InputTarget {
  /** Well-formed inputs, from which mutations start. */
  readonly seeds: readonly Uint8Array[];
  /** Pieces that mean something to the parser: put in by chance. */
  readonly words: readonly (string | Uint8Array)[];
  /** A change that keeps what the parser would stumble over first: three in four are made by it. @default by bytes alone */
  mutate?(input: Uint8Array, random: Random): Uint8Array;
  judge(input: Uint8Array): Verdict | Promise<Verdict>;
}

export interface Verdict {
  readonly accepted: boolean;
  /**
   * What the parser said, or made of it. An input that brings words which none brought before is kept and mutated further:
   * that leads into the parser as coverage would, and costs nothing.
   */
  readonly said: string;
  /** What should not be: something thrown that is no refusal, a result that contradicts itself. */
  readonly fault?: string;
}

/** Text as bytes. */
export function seeds(...texts: readonly string[]): readonly Uint8Array[] {
  return texts.map((text) => Buffer.from(text, "latin1"));
}
