/**
 * Contexts with a value more than another. The API's own copies all values into a new Map and makes three closures: of those that a
 * call needs (its span, silence below) that is a fifth of what its span costs.
 */

import { type Context, createContextKey, type Span } from "@opentelemetry/api";

/** By its name, as all copies of the API know it. */
const SPAN = createContextKey("OpenTelemetry Context Key SPAN");

export function withSpan(above: Context, span: Span): Context {
  return contextWith(above, SPAN, span);
}

export function withoutSpan(above: Context): Context {
  return above.getValue(SPAN) === undefined ? above : contextWith(above, SPAN, undefined);
}

export function contextWith(above: Context, key: symbol, value: unknown): Context {
  return above instanceof ContextWith ? above.and(key, value) : new ContextWith(above, key, value);
}

class ContextWith implements Context {
  readonly #above: Context;
  readonly #key: symbol;
  readonly #value: unknown;

  constructor(above: Context, key: symbol, value: unknown) {
    this.#above = above;
    this.#key = key;
    this.#value = value;
  }

  getValue(key: symbol): unknown {
    return key === this.#key ? this.#value : this.#above.getValue(key);
  }

  /** Below: a chain gets no longer by what others set, however often they do. */
  setValue(key: symbol, value: unknown): Context {
    return key === this.#key
      ? new ContextWith(this.#above, key, value)
      : new ContextWith(this.#above.setValue(key, value), this.#key, this.#value);
  }

  deleteValue(key: symbol): Context {
    return key === this.#key
      ? this.#above.deleteValue(key)
      : new ContextWith(this.#above.deleteValue(key), this.#key, this.#value);
  }

  /** Of ours, of which there are two: in place of an older one of the same key, wherever that is. */
  and(key: symbol, value: unknown): Context {
    if (key === this.#key) return new ContextWith(this.#above, key, value);
    if (!(this.#above instanceof ContextWith)) return new ContextWith(this, key, value);
    return new ContextWith(this.#above.and(key, value), this.#key, this.#value);
  }
}
