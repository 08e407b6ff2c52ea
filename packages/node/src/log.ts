/** The mesh's own words on stderr: one line each, in the order of severity that INMESH_LOG asks for. */

export const LOG_LEVELS = ["error", "warn", "info", "debug"] as const;
export type LogLevel = (typeof LOG_LEVELS)[number];

export interface Log {
  readonly level: LogLevel;
  error(message: string): void;
  warn(message: string): void;
  info(message: string): void;
  debug(message: string): void;
}

/** @param write gets a whole line with its end. @default stderr */
export function createLog(level: LogLevel, write: (line: string) => void = toStderr): Log {
  const enabled = LOG_LEVELS.indexOf(level);
  const say = (severity: LogLevel): ((message: string) => void) => {
    if (LOG_LEVELS.indexOf(severity) > enabled) return () => {};
    const prefix = severity === "warn" || severity === "error" ? "inmesh: " : `inmesh ${severity}: `;
    return (message) => write(`${prefix}${message.replaceAll(/\s*\n\s*/g, " | ")}\n`);
  };
  return { level, error: say("error"), warn: say("warn"), info: say("info"), debug: say("debug") };
}

/** A log must never end the process it reports on. */
function toStderr(line: string): void {
  try {
    process.stderr.write(line);
  } catch {
    // stderr is closed: nobody is listening
  }
}
