/** Values by host: its own, or else that of the longest wildcard that covers it. */

import { compareSpecificity, hostCovers, isWildcard } from "./host.js";

export class HostMap<Value> {
  readonly #exact = new Map<string, Value>();
  readonly #wildcards = new Map<string, Value>();
  /** Most specific first; undefined until somebody asks, and again after a change. */
  #ordered: readonly [pattern: string, value: Value][] | undefined;

  /** Under this very host or pattern. */
  get(host: string): Value | undefined {
    return this.#of(host).get(host);
  }

  set(host: string, value: Value): void {
    this.#of(host).set(host, value);
    this.#ordered = undefined;
  }

  /** What holds for a host. */
  find(host: string): Value | undefined {
    const own = this.#exact.get(host);
    if (own !== undefined || this.#wildcards.size === 0) return own;
    this.#ordered ??= [...this.#wildcards].sort(([a], [b]) => compareSpecificity(a, b));
    return this.#ordered.find(([pattern]) => hostCovers(pattern, host))?.[1];
  }

  #of(host: string): Map<string, Value> {
    return isWildcard(host) ? this.#wildcards : this.#exact;
  }
}
