export { AccessLog, type AccessLogOptions, type AccessLogReading } from "./access-log.js";
export type { AccessLogEntry, AttemptEntry } from "./entry.js";
export type { LineContext } from "./fields.js";
export { jsonLines } from "./json-line.js";
export type { LogRecord, LogSender } from "./otel-sink.js";
export type { EntryLogger, OwnLog } from "./own-log.js";
