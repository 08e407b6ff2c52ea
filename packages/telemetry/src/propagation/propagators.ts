/** The formats that a process reads and writes: `OTEL_PROPAGATORS`, by default W3C's trace context and baggage. */

import { FORMATS, type TraceFormat } from "./formats.js";
import type { ReadHeader, TraceContext } from "./trace-context.js";

export class Propagators {
  readonly #formats: readonly TraceFormat[];
  /** Whether what the application keeps in OpenTelemetry's baggage is sent on. */
  readonly baggage: boolean;
  /** In `OTEL_PROPAGATORS`, and none of ours. */
  readonly unknown: readonly string[];
  /** Contexts that came and could not be read. */
  malformed = 0;

  /** @param names as in `OTEL_PROPAGATORS`; undefined or empty: the default */
  constructor(names?: string) {
    const asked = (names === undefined || names.trim() === "" ? "tracecontext,baggage" : names).split(",");
    const wanted = [...new Set(asked.map((name) => name.trim().toLowerCase()).filter((name) => name !== ""))];
    const all = wanted.includes("none") ? [] : wanted;
    this.#formats = all.flatMap((name) => (Object.hasOwn(FORMATS, name) ? [FORMATS[name]!] : [])); // has it
    this.baggage = all.includes("baggage");
    this.unknown = all.filter((name) => name !== "baggage" && !Object.hasOwn(FORMATS, name));
  }

  /** Of the headers that are written, lower-case. */
  get names(): readonly string[] {
    const written = this.#formats.flatMap(({ names }) => names);
    return this.baggage ? [...written, "baggage"] : written;
  }

  /** The first format that brings a valid context wins. */
  read(header: ReadHeader): TraceContext | undefined {
    for (const format of this.#formats) {
      const found = format.read(header);
      if (found !== undefined) return found;
      if (header(format.names[0]!) !== undefined) this.malformed += 1; // each has one
    }
    return undefined;
  }

  /** @returns flat `[name, value, …]`, lower-case */
  write(context: TraceContext): string[] {
    const lines: string[] = [];
    for (const format of this.#formats) format.write(context, lines);
    return lines;
  }
}
