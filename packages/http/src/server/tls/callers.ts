/** Who called, and how: what is needed to say which callers would be left outside by STRICT. Bounded. */

import type { CallerView } from "@inmesh/core/admin";

export interface CallerCount {
  /** Principal, or address and user agent of a caller in plaintext. */
  readonly caller: string;
  readonly secured: boolean;
  connections: number;
  requests: number;
  /** Monotonic ms. */
  lastAt: number;
}

/** Beyond it the one that has been silent longest is forgotten. */
const MOST_CALLERS = 500;
const MOST_AGENT_LENGTH = 80;
const PRINTABLE = /[^\x20-\x7e]/g;

export class Callers {
  readonly #counts = new Map<string, CallerCount>();

  /** With the first request of a connection. */
  secured(principal: string, now: number): CallerCount {
    return this.#count(principal, true, now);
  }

  plain(address: string, userAgent: string | undefined, now: number): CallerCount {
    const from = address === "" ? "a local pipe" : address;
    const agent = userAgent?.replace(PRINTABLE, "?").slice(0, MOST_AGENT_LENGTH);
    return this.#count(agent ? `${from} (${agent})` : from, false, now);
  }

  read(now: number): CallerView[] {
    return [...this.#counts.values()]
      .sort((one, other) => other.requests - one.requests)
      .map(({ caller, secured, connections, requests, lastAt }) => ({
        ...{ caller, secured, connections, requests },
        agoMs: Math.max(0, Math.round(now - lastAt)),
      }));
  }

  #count(caller: string, secured: boolean, now: number): CallerCount {
    const key = `${secured ? "s" : "p"} ${caller}`;
    let count = this.#counts.get(key);
    if (count === undefined) {
      if (this.#counts.size >= MOST_CALLERS) this.#forgetOldest();
      count = { caller, secured, connections: 0, requests: 0, lastAt: now };
      this.#counts.set(key, count);
    }
    count.connections += 1;
    return count;
  }

  #forgetOldest(): void {
    let oldest: string | undefined;
    let at = Number.POSITIVE_INFINITY;
    for (const [key, { lastAt }] of this.#counts) {
      if (lastAt < at) [oldest, at] = [key, lastAt];
    }
    if (oldest !== undefined) this.#counts.delete(oldest);
  }
}
