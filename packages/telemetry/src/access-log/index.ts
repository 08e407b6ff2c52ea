export { AccessLog, type AccessLogOptions, type AccessLogReading } from "./access-log.js";
export type { AccessLogEntry, AttemptEntry } from "./entry.js";
export type { EntryLogger, OwnLog } from "./own-log.js";
