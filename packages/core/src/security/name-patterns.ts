/** Names of headers as providers list them: lower-case, exact, or with `*` at one end. */
export class NamePatterns {
  readonly #exact: ReadonlySet<string>;
  readonly #starts: readonly string[];
  readonly #ends: readonly string[];

  constructor(patterns: readonly string[]) {
    this.#exact = new Set(patterns.filter((each) => !each.includes("*")));
    this.#starts = patterns.filter((each) => each.endsWith("*")).map((each) => each.slice(0, -1));
    this.#ends = patterns.filter((each) => each.startsWith("*") && each !== "*").map((each) => each.slice(1));
  }

  /** @param name in lower case */
  match(name: string): boolean {
    return (
      this.#exact.has(name) ||
      this.#starts.some((start) => name.startsWith(start)) ||
      this.#ends.some((end) => name.endsWith(end))
    );
  }
}
