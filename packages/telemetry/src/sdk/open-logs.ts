/**
 * Log records by OTLP over HTTP, for processes that have no provider of logs of their own. Private: an application that
 * registers one later finds the place free. All that `OTEL_*` variables say holds.
 */

import { OTLPLogExporter as JsonExporter } from "@opentelemetry/exporter-logs-otlp-http";
import { OTLPLogExporter as ProtobufExporter } from "@opentelemetry/exporter-logs-otlp-proto";
import { BatchLogRecordProcessor, LoggerProvider, type LogRecordExporter } from "@opentelemetry/sdk-logs";
import type { LogRecord, LogSender } from "../access-log/otel-sink.js";
import { type ProcessNames, resourceOf } from "./resource-of.js";
import { sayTroubles } from "./say-troubles.js";

export interface LogsOptions extends ProcessNames {
  readonly warn: (message: string) => void;
}

const JSON_PROTOCOL = "http/json";

export function openLogs(options: LogsOptions): LogSender {
  const { env, warn } = options;
  sayTroubles(env, warn);
  const processor = new BatchLogRecordProcessor({ exporter: exporterOf(options) });
  const provider = new LoggerProvider({ resource: resourceOf(options), processors: [processor] });
  const logger = provider.getLogger("inmesh.access");
  return {
    emit: (record: LogRecord) => logger.emit(record as Parameters<typeof logger.emit>[0]),
    flush: () => processor.forceFlush(),
    close: () => provider.shutdown(),
  };
}

/** They read `OTEL_EXPORTER_OTLP_*` themselves. */
function exporterOf({ env, warn }: LogsOptions): LogRecordExporter {
  const asked = env["OTEL_EXPORTER_OTLP_LOGS_PROTOCOL"] ?? env["OTEL_EXPORTER_OTLP_PROTOCOL"] ?? "";
  const protocol = asked.trim() || "http/protobuf";
  if (protocol === JSON_PROTOCOL) return new JsonExporter();
  if (protocol !== "http/protobuf") {
    warn(`OTEL_EXPORTER_OTLP_PROTOCOL: "${protocol}" is none that inmesh sends; log records go by http/protobuf`);
  }
  return new ProtobufExporter();
}
