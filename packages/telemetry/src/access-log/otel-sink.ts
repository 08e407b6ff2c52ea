/** Lines as log records of OpenTelemetry, where the process has a provider of them. Found by its symbol: nothing is imported. */

import type { AccessLogEntry } from "./entry.js";

/** What of @opentelemetry/api-logs is used. */
interface LogRecord {
  readonly timestamp: number;
  readonly severityNumber: number;
  readonly severityText: string;
  readonly body: string;
  readonly attributes: Readonly<Record<string, unknown>>;
}
interface Logger {
  emit(record: LogRecord): void;
}
interface Provider {
  getLogger(name: string): Logger;
}

/** Where api-logs 0.x and 1.x keep the provider; called with the version of the interface. */
const GLOBAL = Symbol.for("io.opentelemetry.js.api.logs");
const VERSION = 1;
/** Of the data model of logs. */
const INFO = 9;
const ERROR = 17;

export function emitLog(entry: AccessLogEntry, failed: boolean, wallMs: number): boolean {
  const make = (globalThis as unknown as Record<symbol, unknown>)[GLOBAL];
  if (typeof make !== "function") return false;
  const provider = make(VERSION) as Provider | undefined;
  if (typeof provider?.getLogger !== "function") return false;
  provider.getLogger("inmesh.access").emit({
    timestamp: wallMs,
    severityNumber: failed ? ERROR : INFO,
    severityText: failed ? "ERROR" : "INFO",
    body: `${entry.method} ${entry.path} ${entry.response_code}`,
    attributes: { ...entry },
  });
  return true;
}
