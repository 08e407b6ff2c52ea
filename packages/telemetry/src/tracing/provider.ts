/**
 * The tracer of the process. An application may register its provider later than the mesh starts, or never, or with another
 * copy of the API: it is asked for until there is one.
 */

import { ProxyTracerProvider, type Tracer, trace } from "@opentelemetry/api";

/** What a proxy hands out that nobody has given a provider. */
const NOTHING = new ProxyTracerProvider().getDelegate();
const NAME = "inmesh";

export class ProcessTracer {
  readonly #version: string;
  #tracer: Tracer | undefined;

  constructor(version: string) {
    this.#version = version;
  }

  /** Undefined while nobody has registered a provider. */
  get current(): Tracer | undefined {
    if (this.#tracer === undefined && isRegistered()) this.#tracer = trace.getTracer(NAME, this.#version);
    return this.#tracer;
  }
}

/** Somebody registered a provider of traces. */
export function isRegistered(): boolean {
  const provider = trace.getTracerProvider();
  return !(provider instanceof ProxyTracerProvider) || provider.getDelegate() !== NOTHING;
}
