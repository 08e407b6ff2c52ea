/** Names by script: each lookup of a name takes the answer that stands for it at that moment. */

import type { NameAnswer, NameResolver } from "../dns/resolver.js";
import type { Clock } from "../runtime/clock.js";

export class FakeResolver implements NameResolver {
  readonly #clock: Clock;
  readonly #answers = new Map<string, NameAnswer | Error>();
  readonly #delays = new Map<string, number>();
  /** Names asked for, in order. */
  readonly asked: string[] = [];

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** @param ttlMs of the answer. @default none */
  answer(name: string, addresses: readonly string[], ttlMs?: number): this {
    this.#answers.set(name, { addresses, ttlMs });
    return this;
  }

  fail(name: string, message: string): this {
    this.#answers.set(name, new Error(message));
    return this;
  }

  /** How long lookups of it take. @default no time */
  delay(name: string, ms: number): this {
    this.#delays.set(name, ms);
    return this;
  }

  async resolve(name: string): Promise<NameAnswer> {
    this.asked.push(name);
    const ms = this.#delays.get(name) ?? 0;
    if (ms > 0) await new Promise<void>((resolve) => this.#clock.after(ms, resolve));
    const answer = this.#answers.get(name) ?? { addresses: [], ttlMs: undefined };
    if (answer instanceof Error) throw answer;
    return answer;
  }
}
