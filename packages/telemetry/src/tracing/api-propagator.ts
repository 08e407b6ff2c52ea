/** The mesh's formats for the application's own use of OpenTelemetry: what it writes into messages is what calls carry. */

import {
  type Context,
  propagation,
  type TextMapGetter,
  type TextMapPropagator,
  type TextMapSetter,
  trace,
} from "@opentelemetry/api";
import type { Propagators } from "../propagation/index.js";
import { formatBaggage, parseBaggage } from "./baggage.js";
import { fromSpanContext, toSpanContext } from "./trace-state.js";

export class ApiPropagator implements TextMapPropagator {
  readonly #propagators: Propagators;

  constructor(propagators: Propagators) {
    this.#propagators = propagators;
  }

  inject(context: Context, carrier: unknown, setter: TextMapSetter): void {
    const span = trace.getSpanContext(context);
    if (span !== undefined && trace.isSpanContextValid(span)) {
      const lines = this.#propagators.write(fromSpanContext(span));
      for (let index = 0; index < lines.length; index += 2) setter.set(carrier, lines[index]!, lines[index + 1]!); // flat pairs
    }
    const baggage = this.#propagators.baggage ? propagation.getBaggage(context) : undefined;
    const line = baggage === undefined ? "" : formatBaggage(baggage);
    if (line !== "") setter.set(carrier, "baggage", line);
  }

  extract(context: Context, carrier: unknown, getter: TextMapGetter): Context {
    const header = (name: string): string | undefined => {
      const value = getter.get(carrier, name);
      return typeof value === "string" || value === undefined ? value : value.join(",");
    };
    const found = this.#propagators.read(header);
    const traced = found === undefined ? context : trace.setSpanContext(context, toSpanContext(found));
    const line = this.#propagators.baggage ? header("baggage") : undefined;
    const baggage = line === undefined ? undefined : parseBaggage(line);
    return baggage === undefined ? traced : propagation.setBaggage(traced, baggage);
  }

  fields(): string[] {
    return [...this.#propagators.names];
  }
}
