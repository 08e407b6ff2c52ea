/** OpenTelemetry's own log, through the mesh's. */

import { inspect } from "node:util";
import { DiagLogLevel, diag } from "@opentelemetry/api";
import type { Env } from "./resource-of.js";

/** What its exporter cannot do is said by the mesh's own log, and no more often than once a minute. */
export function sayTroubles(env: Env, warn: (message: string) => void): void {
  let saidAt = Number.NEGATIVE_INFINITY;
  const say = (...given: unknown[]): void => {
    const now = performance.now();
    if (now - saidAt < SILENCE_MS) return;
    saidAt = now;
    warn(`OpenTelemetry: ${given.map(shown).join(" ").slice(0, LONGEST_TEXT)}`);
  };
  const quiet = (): void => {};
  const chatty = env["OTEL_LOG_LEVEL"]?.toUpperCase();
  const level = DiagLogLevel[chatty as keyof typeof DiagLogLevel] ?? DiagLogLevel.WARN;
  const loud = level > DiagLogLevel.WARN;
  const other = loud
    ? (...given: unknown[]): void => warn(`OpenTelemetry: ${given.map(shown).join(" ").slice(0, LONGEST_TEXT)}`)
    : quiet;
  diag.setLogger(
    { error: say, warn: say, info: other, debug: other, verbose: other },
    { logLevel: level, suppressOverrideMessage: true },
  );
}

const SILENCE_MS = 60_000;
const LONGEST_TEXT = 400;

function shown(part: unknown): string {
  if (part instanceof Error) return part.message;
  return typeof part === "string" ? part : inspect(part, { depth: 2, breakLength: Number.POSITIVE_INFINITY });
}
