/**
 * Results made on first use, each with the questions it asked of the view. The next snapshot asks them again: if every
 * answer is the same object, so is the result. Dependencies are thus found by looking, never declared by hand.
 *
 * An entry outlives the view it was made for, so a question is a function of a module and what it asks about is text and
 * numbers: a closure would hold the view it was made in, that view's entries the one before, and nothing would ever go.
 */

import { Generations } from "./generations.js";
import type { ClientView } from "./view.js";

export type Topic = string | number;

/** @param question no closure; what it asks about are its topics */
export type Ask = <Answer, Topics extends readonly Topic[]>(
  question: (view: ClientView, ...topics: Topics) => Answer,
  ...topics: Topics
) => Answer;

interface Entry<Value> {
  readonly value: Value;
  readonly asked: readonly Asked[];
}

interface Asked {
  readonly question: (view: ClientView, ...topics: never) => unknown;
  readonly topics: readonly Topic[];
  readonly answer: unknown;
}

/** Hosts that only a wildcard service means could otherwise grow it without end. */
const MAX_ENTRIES = 10_000;

export class Memo<Value> {
  readonly #view: ClientView;
  readonly #entries: Generations<Entry<Value>>;

  /** @param previous of a view with the same settings, mode and client */
  constructor(view: ClientView, previous?: Memo<Value>) {
    this.#view = view;
    this.#entries = new Generations(previous === undefined ? undefined : previous.#entries, MAX_ENTRIES);
  }

  get(key: string, make: (ask: Ask) => Value): Value {
    const made = this.#entries.get(key);
    if (made !== undefined) return made.value;
    const earlier = this.#entries.earlier(key);
    const entry = earlier !== undefined && this.#stands(earlier) ? earlier : this.#make(make);
    this.#entries.set(key, entry);
    return entry.value;
  }

  #stands({ asked }: Entry<Value>): boolean {
    return asked.every(({ question, topics, answer }) => question(this.#view, ...(topics as never)) === answer);
  }

  #make(make: (ask: Ask) => Value): Entry<Value> {
    const asked: Asked[] = [];
    const value = make((question, ...topics) => {
      const answer = question(this.#view, ...topics);
      asked.push({ question, topics, answer });
      return answer;
    });
    return { value, asked };
  }
}
