/** Which names are wanted, counted by those who want them. */

export class WantedNames {
  readonly #counts = new Map<string, number>();
  #all = 0;

  /** Whether somebody wants every one there is. */
  get all(): boolean {
    return this.#all > 0;
  }

  /** Those wanted by name; beside `all` as well. */
  get names(): ReadonlyMap<string, number> {
    return this.#counts;
  }

  has(name: string): boolean {
    return this.#all > 0 || this.#counts.has(name);
  }

  addAll(): void {
    this.#all += 1;
  }

  removeAll(): void {
    this.#all -= 1;
  }

  add(name: string): void {
    this.#counts.set(name, (this.#counts.get(name) ?? 0) + 1);
  }

  remove(name: string): void {
    const count = this.#counts.get(name) ?? 0;
    if (count <= 1) this.#counts.delete(name);
    else this.#counts.set(name, count - 1);
  }
}
