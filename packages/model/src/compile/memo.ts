/**
 * Results made on first use, each with the questions it asked of the view. The next snapshot asks them again: if every
 * answer is the same object, so is the result. Dependencies are thus found by looking, never declared by hand.
 */

import type { ClientView } from "./view.js";

export type Ask = <Answer>(question: (view: ClientView) => Answer) => Answer;

interface Entry<Value> {
  readonly value: Value;
  readonly asked: readonly { readonly question: (view: ClientView) => unknown; readonly answer: unknown }[];
}

/** Beyond this all is forgotten: hosts that only a wildcard service means could otherwise grow it without end. */
const MAX_ENTRIES = 10_000;

export class Memo<Value> {
  readonly #view: ClientView;
  readonly #made = new Map<string, Entry<Value>>();
  /** From earlier snapshots, not yet looked at again. */
  readonly #carried: ReadonlyMap<string, Entry<Value>>;

  /** @param previous of a view with the same settings, mode and client */
  constructor(view: ClientView, previous?: Memo<Value>) {
    this.#view = view;
    const carried = previous === undefined ? new Map() : new Map([...previous.#carried, ...previous.#made]);
    this.#carried = carried.size > MAX_ENTRIES ? new Map() : carried;
  }

  get(key: string, make: (ask: Ask) => Value): Value {
    const made = this.#made.get(key);
    if (made !== undefined) return made.value;
    const carried = this.#carried.get(key);
    const entry = carried !== undefined && this.#stands(carried) ? carried : this.#make(make);
    if (this.#made.size >= MAX_ENTRIES) this.#made.clear();
    this.#made.set(key, entry);
    return entry.value;
  }

  #stands({ asked }: Entry<Value>): boolean {
    return asked.every(({ question, answer }) => question(this.#view) === answer);
  }

  #make(make: (ask: Ask) => Value): Entry<Value> {
    const asked: { question: (view: ClientView) => unknown; answer: unknown }[] = [];
    const value = make((question) => {
      const answer = question(this.#view);
      asked.push({ question, answer });
      return answer;
    });
    return { value, asked };
  }
}
