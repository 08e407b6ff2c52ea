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
  /** Question, answer, number of topics, topics, and so on: an object and a list for each would be a third of what a host weighs. */
  readonly asked: readonly unknown[];
}

type Question = (view: ClientView, ...topics: readonly Topic[]) => unknown;

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
    for (let at = 0; at < asked.length; ) {
      const [question, answer, count] = asked.slice(at, at + 3) as [Question, unknown, number];
      const end = at + 3 + count;
      if (question(this.#view, ...(asked.slice(at + 3, end) as Topic[])) !== answer) return false;
      at = end;
    }
    return true;
  }

  #make(make: (ask: Ask) => Value): Entry<Value> {
    const asked: unknown[] = [];
    const value = make((question, ...topics) => {
      const answer = question(this.#view, ...topics);
      asked.push(question, answer, topics.length, ...topics);
      return answer;
    });
    return { value, asked: asked.slice() }; // as long as it is, where one that grew has room to spare
  }
}
