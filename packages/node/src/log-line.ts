/** How a line of the mesh's own log looks: for people at a terminal, in the output of something else, or for programs. */

import type { LogScope, LogSeverity } from "./log.js";

/** `auto`: with time and scope at a terminal; elsewhere it begins with `inmesh:`, so that it is told from the application's. */
export const LOG_FORMATS = ["auto", "text", "json"] as const;
export type LogFormat = (typeof LOG_FORMATS)[number];

export interface LogLine {
  readonly scope: LogScope;
  readonly severity: LogSeverity;
  readonly message: string;
  /** How often it came since it was last written. */
  readonly repeated: number;
}

export function lineText(format: LogFormat): (line: LogLine) => string {
  if (format === "json") return jsonText;
  return format === "auto" && process.stderr.isTTY === true ? terminalText : plainText;
}

function jsonText({ scope, severity, message, repeated }: LogLine): string {
  const time = new Date().toISOString();
  return `${JSON.stringify({ time, level: severity, logger: "inmesh", scope, msg: message, ...(repeated > 0 && { repeated }) })}\n`;
}

function plainText({ severity, message, repeated }: LogLine): string {
  const prefix = severity === "warn" || severity === "error" ? "inmesh: " : `inmesh ${severity}: `;
  return `${prefix}${message}${repeatText(repeated)}\n`;
}

function terminalText({ scope, severity, message, repeated }: LogLine): string {
  const time = new Date().toTimeString().slice(0, 8);
  return `${time} ${severity.toUpperCase().padEnd(5)} inmesh ${scope}  ${message}${repeatText(repeated)}\n`;
}

function repeatText(repeated: number): string {
  return repeated > 0 ? ` (repeated=${repeated})` : "";
}
