/**
 * The token buckets of one rule, by key. A token comes every `perMs / requests` and is worked out when somebody asks, so a
 * bucket at rest costs nothing. Differs: Envoy's come all at once at the end of each interval.
 *
 * Callers choose the keys, so their number and length are bounded: the bucket that was not asked for longest goes first. One
 * that had filled up meanwhile loses nothing by that.
 */

import { createHash } from "node:crypto";

/** Buckets of a rule: about 2 MB with keys such as addresses. */
export const MOST_BUCKETS = 10_000;
/** A longer key stands for itself by its hash, in characters: 10,000 tokens of 8 kB each would be 80 MB. */
const LONGEST_KEY = 128;
/** What sums of thirds may lack of a whole. */
const ROUNDING = 1e-6;

export interface BucketSize {
  /** Tokens that `perMs` brings. */
  readonly requests: number;
  readonly perMs: number;
  /** Tokens a bucket holds, and starts with. */
  readonly burst: number;
}

export interface Bucket {
  tokens: number;
  /** Clock ms of that reading. */
  at: number;
}

export class TokenBuckets {
  readonly #perMs: number;
  readonly #burst: number;
  /** In order of their last use. */
  readonly #buckets = new Map<string, Bucket>();

  constructor({ requests, perMs, burst }: BucketSize) {
    this.#perMs = requests / perMs;
    this.#burst = burst;
  }

  get size(): number {
    return this.#buckets.size;
  }

  /** The bucket as it is now; with no key there is one for all. */
  of(key: string, now: number): Bucket {
    const name = key.length > LONGEST_KEY ? createHash("sha256").update(key).digest("base64") : key;
    const known = this.#buckets.get(name);
    if (known === undefined) return this.#make(name, now);
    if (this.#buckets.size > 1) {
      this.#buckets.delete(name);
      this.#buckets.set(name, known);
    }
    if (now > known.at) {
      known.tokens = Math.min(this.#burst, known.tokens + (now - known.at) * this.#perMs);
      known.at = now;
    }
    return known;
  }

  /** @returns whether there was one */
  take(bucket: Bucket): boolean {
    if (bucket.tokens < 1 - ROUNDING) return false;
    bucket.tokens -= 1;
    return true;
  }

  giveBack(bucket: Bucket): void {
    bucket.tokens = Math.min(this.#burst, bucket.tokens + 1);
  }

  /** Until there is a whole token, in ms. */
  waitMs({ tokens }: Bucket): number {
    return Math.max(0, (1 - tokens) / this.#perMs);
  }

  /** Until it is full, in ms. */
  fullMs({ tokens }: Bucket): number {
    return Math.max(0, (this.#burst - tokens) / this.#perMs);
  }

  #make(name: string, now: number): Bucket {
    if (this.#buckets.size >= MOST_BUCKETS) {
      for (const oldest of this.#buckets.keys()) {
        this.#buckets.delete(oldest);
        break;
      }
    }
    const bucket = { tokens: this.#burst, at: now };
    this.#buckets.set(name, bucket);
    return bucket;
  }
}
