/** Loaded by `node --test` as its reporter: each test as one line of JSON. */

import type { Outcome } from "./outcome.js";

interface TestEvent {
  readonly type: string;
  readonly data: {
    readonly file?: string;
    readonly name: string;
    readonly nesting: number;
    readonly skip?: string | boolean;
    readonly todo?: string | boolean;
    readonly details?: { readonly error?: Error & { readonly cause?: unknown } };
  };
}

export default async function* report(events: AsyncIterable<TestEvent>): AsyncGenerator<string> {
  for await (const { type, data } of events) {
    if (type !== "test:pass" && type !== "test:fail") continue;
    const { file = "", name, nesting, skip, todo, details } = data;
    const ignored = skip !== undefined || todo !== undefined;
    const cause = details?.error?.cause;
    const outcome: Outcome = {
      file,
      test: name === file ? "(the file itself)" : `${"> ".repeat(nesting)}${name}`,
      result: ignored ? "skip" : type === "test:pass" ? "pass" : "fail",
      message: (cause instanceof Error ? cause.message : details?.error?.message)?.split("\n")[0],
    };
    yield `${JSON.stringify(outcome)}\n`;
  }
}
