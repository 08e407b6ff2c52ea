/** A rate limit service inside the process, for tests: windows that begin with full seconds, as the reference service has them. */

import type { Clock } from "../runtime/clock.js";
import type {
  RateLimitDescriptor,
  RateLimitRequest,
  RateLimitResponse,
  RateLimitService,
  RateLimitStatus,
} from "./rate-limit-service.js";

export interface MemoryLimit {
  /** The descriptor's entries; a value left out means any, each with a count of its own. */
  readonly entries: readonly { readonly key: string; readonly value?: string }[];
  readonly requests: number;
  readonly perMs: number;
}

interface Window {
  readonly endsAt: number;
  hits: number;
}

export class MemoryRateLimitService implements RateLimitService {
  readonly #clock: Clock;
  readonly #limits: Readonly<Record<string, readonly MemoryLimit[]>>;
  readonly #windows = new Map<string, Window>();

  /** @param limits by domain */
  constructor(clock: Clock, limits: Readonly<Record<string, readonly MemoryLimit[]>>) {
    this.#clock = clock;
    this.#limits = limits;
  }

  async shouldRateLimit({ domain, descriptors, hitsAddend = 1 }: RateLimitRequest): Promise<RateLimitResponse> {
    const statuses = descriptors.map((descriptor) =>
      this.#status(domain, descriptor, descriptor.hitsAddend ?? hitsAddend),
    );
    return { statuses, overallCode: statuses.some(({ code }) => code === "OVER_LIMIT") ? "OVER_LIMIT" : "OK" };
  }

  #status(domain: string, descriptor: RateLimitDescriptor, hits: number): RateLimitStatus {
    const limit = this.#limits[domain]?.find((each) => means(each, descriptor));
    if (limit === undefined) return { code: "OK" };
    const now = this.#clock.wallTime();
    const name = JSON.stringify([domain, descriptor.entries]);
    let window = this.#windows.get(name);
    if (window === undefined || window.endsAt <= now) {
      window = { endsAt: (Math.floor(now / limit.perMs) + 1) * limit.perMs, hits: 0 };
      this.#windows.set(name, window);
    }
    window.hits += hits;
    return {
      code: window.hits > limit.requests ? "OVER_LIMIT" : "OK",
      currentLimit: { requests: limit.requests, perMs: limit.perMs },
      limitRemaining: Math.max(0, limit.requests - window.hits),
      durationUntilResetMs: window.endsAt - now,
    };
  }
}

function means({ entries }: MemoryLimit, descriptor: RateLimitDescriptor): boolean {
  return (
    entries.length === descriptor.entries.length &&
    entries.every(({ key, value }, index) => {
      const given = descriptor.entries[index]!; // of one length
      return key === given.key && (value === undefined || value === given.value);
    })
  );
}
