/** The mark by which OpenTelemetry's SDK and instrumentations are silent: that of @opentelemetry/core, known by its name. */

import { type Context, createContextKey } from "@opentelemetry/api";
import { contextWith } from "./context-with.js";

const SUPPRESS_TRACING = createContextKey("OpenTelemetry SDK Context Key SUPPRESS_TRACING");

export function suppressed(context: Context): Context {
  return contextWith(context, SUPPRESS_TRACING, true);
}

export function isSuppressed(context: Context): boolean {
  return context.getValue(SUPPRESS_TRACING) === true;
}
