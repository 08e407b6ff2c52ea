/**
 * Lines as log records of OpenTelemetry: through the provider of them that the process has registered, found by its symbol, so
 * that nothing is imported; else through one of the mesh's own, where `OTEL_*` says where to.
 */

import type { OutcomeRecord } from "@inmesh/core";
import type { LogProvider } from "@inmesh/model";
import { entryOf } from "./entry.js";
import { isFailure, type LineContext } from "./fields.js";
import { compileLabels, compileText } from "./format-line.js";
import type { LateLogs } from "./late-logs.js";

/** What of @opentelemetry/api-logs is used. */
export interface LogRecord {
  readonly timestamp: number;
  readonly severityNumber: number;
  readonly severityText: string;
  readonly body: string;
  readonly attributes: Readonly<Record<string, unknown>>;
}
export interface LogSender {
  emit(record: LogRecord): void;
  /** What has been emitted is sent. */
  flush(): Promise<void>;
  close(): Promise<void>;
}
interface Provider {
  getLogger(name: string): Pick<LogSender, "emit">;
}

/** Where api-logs 0.x and 1.x keep the provider; called with the version of the interface. */
const GLOBAL = Symbol.for("io.opentelemetry.js.api.logs");
const VERSION = 1;
/** Of the data model of logs. */
const INFO = 9;
const ERROR = 17;

/** @param own asked where the process has registered no provider @returns false: there is nobody to tell */
export function compileOtel(
  { format, body }: LogProvider,
  context: LineContext,
  own: () => Pick<LateLogs, "emit">,
): (record: OutcomeRecord) => boolean {
  const bodyOf = body === undefined ? undefined : compileText(body, context.query);
  const labelsOf = typeof format === "object" ? compileLabels(format, context.query) : undefined;
  return (record) => {
    const failed = isFailure(record);
    const entry = entryOf(record, context);
    return (registered() ?? own()).emit({
      timestamp: record.wallMs,
      severityNumber: failed ? ERROR : INFO,
      severityText: failed ? "ERROR" : "INFO",
      body: bodyOf?.(record).trimEnd() ?? `${entry.method} ${entry.path} ${entry.response_code}`,
      attributes: labelsOf?.(record) ?? { ...entry },
    });
  };
}

function registered(): { emit(record: LogRecord): boolean } | undefined {
  const make = (globalThis as unknown as Record<symbol, unknown>)[GLOBAL];
  if (typeof make !== "function") return undefined;
  const provider = make(VERSION) as Provider | undefined;
  if (typeof provider?.getLogger !== "function") return undefined;
  const logger = provider.getLogger("inmesh.access");
  return {
    emit(record) {
      logger.emit(record);
      return true;
    },
  };
}
