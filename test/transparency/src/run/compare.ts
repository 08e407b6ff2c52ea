/** Two runs of one suite, test by test. */

import type { Outcome } from "./outcome.js";

export interface Difference {
  readonly file: string;
  readonly test: string;
  readonly message: string | undefined;
}

/**
 * Tests that pass in `bare` and do not in `meshed`. Tests of one file that share a name are told apart by number only:
 * as many of them must pass.
 */
export function lost(bare: readonly Outcome[], meshed: readonly Outcome[]): Difference[] {
  const missing = new Map<string, Difference & { count: number }>();
  for (const { file, test } of bare.filter(passed)) {
    const known = missing.get(key(file, test));
    if (known === undefined) missing.set(key(file, test), { file, test, message: undefined, count: 1 });
    else known.count += 1;
  }
  const messages = new Map<string, string | undefined>();
  for (const { file, test, result, message } of meshed) {
    if (result === "fail") messages.set(key(file, test), message);
    const expected = missing.get(key(file, test));
    if (expected !== undefined && result === "pass") expected.count -= 1;
  }
  return [...missing]
    .filter(([, { count }]) => count > 0)
    .map(([id, { file, test }]) => ({ file, test, message: messages.get(id) ?? "not run to its end" }));
}

/** Of `first`, what `second` has as well: a difference that does not repeat was chance. */
export function repeated(first: readonly Difference[], second: readonly Difference[]): Difference[] {
  const again = new Map(second.map((each) => [key(each.file, each.test), each]));
  return first.flatMap(({ file, test }) => again.get(key(file, test)) ?? []);
}

export function count(outcomes: readonly Outcome[]): { readonly pass: number; readonly fail: number } {
  return { pass: outcomes.filter(passed).length, fail: outcomes.filter(({ result }) => result === "fail").length };
}

function passed({ result }: Outcome): boolean {
  return result === "pass";
}

function key(file: string, test: string): string {
  return `${file}\n${test}`;
}
