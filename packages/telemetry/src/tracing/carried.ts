/** What goes into the headers of calls beside the trace context: baggage, and formats of the application's own propagator. */

import type { InboundHead } from "@inmesh/core";
import { type Context, propagation, type SpanContext } from "@opentelemetry/api";
import type { Propagators } from "../propagation/index.js";
import { formatBaggage, parseBaggage } from "./baggage.js";
import { fromSpanContext } from "./trace-state.js";

export class Carried {
  readonly #propagators: Propagators;
  readonly #others: boolean;

  /** @param others the application has registered a propagator of its own */
  constructor(propagators: Propagators, others: boolean) {
    this.#propagators = propagators;
    this.#others = others;
  }

  /** @param randomId bit of the trace's flags @returns flat `[name, value, …]`, each name once */
  headers(span: SpanContext, around: Context, randomId: number): readonly string[] {
    const written = fromSpanContext(span);
    const lines = this.#propagators.write(randomId === 0 ? written : { ...written, flags: written.flags | randomId });
    const baggage = this.#propagators.baggage ? propagation.getBaggage(around) : undefined;
    if (baggage !== undefined) {
      const line = formatBaggage(baggage);
      if (line !== "") lines.push("baggage", line);
    }
    // Of the application's own, what ours do not write: formats of its vendor.
    if (this.#others && propagation.fields().length > 0) {
      const carrier: Record<string, string> = {};
      propagation.inject(around, carrier);
      for (const name in carrier) {
        const key = name.toLowerCase();
        if (!lines.some((line, index) => index % 2 === 0 && line === key)) lines.push(key, carrier[name]!); // its own key
      }
    }
    return lines;
  }

  /** The baggage of a request, where the application looks for it. */
  withBaggage(around: Context, head: InboundHead): Context {
    const line = this.#propagators.baggage ? head.header("baggage") : undefined;
    if (line === undefined) return around;
    const baggage = parseBaggage(line);
    return baggage === undefined ? around : propagation.setBaggage(around, baggage);
  }
}
