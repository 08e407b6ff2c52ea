/** Who waits, in the order in which they came. One that is given up leaves at once, wherever it stands. */

/** Places at the front that may be empty before they are cleared away. */
const EMPTY_PLACES = 1_024;

export class WaitingLine<Member extends object> implements Iterable<Member> {
  readonly #members = new Set<Member>();
  /** Those that are no members have left. Not the set's own order: it walks over all that left to find the first. */
  #line: Member[] = [];
  /** Places before it are empty. */
  #head = 0;

  get size(): number {
    return this.#members.size;
  }

  /** The one that has waited longest. */
  get first(): Member | undefined {
    while (this.#members.size > 0) {
      const member = this.#line[this.#head]!; // every member is in the line
      if (this.#members.has(member)) return member;
      this.#advance();
    }
    return undefined;
  }

  add(member: Member): void {
    if (this.#members.size === 0) {
      this.#line = [];
      this.#head = 0;
    }
    this.#members.add(member);
    this.#line.push(member);
  }

  /** @returns whether it was there */
  delete(member: Member): boolean {
    return this.#members.delete(member);
  }

  /** The first one, which waits no longer. */
  shift(): Member | undefined {
    const { first } = this;
    if (first === undefined) return undefined;
    this.#members.delete(first);
    this.#advance();
    return first;
  }

  [Symbol.iterator](): Iterator<Member> {
    return this.#members.values();
  }

  #advance(): void {
    this.#head += 1;
    if (this.#head < EMPTY_PLACES) return;
    this.#line = this.#line.slice(this.#head);
    this.#head = 0;
  }
}
