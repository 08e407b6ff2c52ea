export { type LogsOptions, openLogs } from "./open-logs.js";
