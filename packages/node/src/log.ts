/**
 * The mesh's own words: one line each, as severe and of such scopes as INMESH_LOG asks for (`warn,tls:debug`). Levels may
 * change while it runs. A message that comes again within 10 s is counted, not written.
 */

import { type LogFormat, type LogLine, lineText } from "./log-line.js";

/** In the order of severity. */
export const LOG_LEVELS = ["off", "error", "warn", "info", "debug", "trace"] as const;
export type LogLevel = (typeof LOG_LEVELS)[number];
export type LogSeverity = Exclude<LogLevel, "off">;

/** What the mesh speaks about. `mesh` is what has no other scope. */
export const LOG_SCOPES = [
  ...["mesh", "config", "registry", "lease", "address", "drain", "tls", "identity", "security", "access", "tokens"],
  ...["clients", "mirror", "shedding", "access-log", "telemetry", "admin"],
] as const;
export type LogScope = (typeof LOG_SCOPES)[number];

export interface LogLevels {
  readonly level: LogLevel;
  /** Scopes that have a level of their own. */
  readonly scopes: Readonly<Partial<Record<LogScope, LogLevel>>>;
}

export interface Log {
  error(message: string): void;
  warn(message: string): void;
  info(message: string): void;
  debug(message: string): void;
  trace(message: string): void;
  /** The same log, of another scope. */
  scope(name: LogScope): Log;
  /** In force at the moment, for all scopes. */
  levels: LogLevels;
}

/** A logger of the application: console and pino fit. */
export interface Logger {
  error(message: string): void;
  warn(message: string): void;
  info(message: string): void;
  debug(message: string): void;
}

export interface LogOptions {
  /** Gets a whole line with its end. @default stderr */
  readonly write?: (line: string) => void;
  /** In place of lines. */
  readonly logger?: Logger | undefined;
  /** @default "auto" */
  readonly format?: LogFormat;
  /** Clock ms. @default the process's */
  readonly now?: () => number;
}

/** The same message of a scope is written once in so many ms. */
const REPEAT_MS = 10_000;
/** Messages that are remembered for that. */
const MOST_MESSAGES = 200;

const SEVERITY: Readonly<Record<LogLevel, number>> = { off: 0, error: 1, warn: 2, info: 3, debug: 4, trace: 5 };

export function createLog(levels: LogLevels | LogLevel, options: LogOptions = {}): Log {
  const state = {
    levels: typeof levels === "string" ? { level: levels, scopes: {} } : levels,
    repeats: new Map<string, { until: number; count: number }>(),
  };
  const { now = () => performance.now(), logger, format = "auto" } = options;
  const write = options.write ?? toStderr;
  const text = lineText(format);

  const say = (scope: LogScope, severity: LogSeverity, message: string): void => {
    const { level, scopes } = state.levels;
    if (SEVERITY[severity] > SEVERITY[scopes[scope] ?? level]) return;
    const repeated = repeats(`${scope} ${severity} ${message}`, state.repeats, now());
    if (repeated < 0) return;
    const line: LogLine = { scope, severity, message: message.replaceAll(/\s*\n\s*/g, " | "), repeated };
    if (logger === undefined) return write(text(line));
    try {
      logger[severity === "trace" ? "debug" : severity](
        `${line.message}${repeated > 0 ? ` (repeated=${repeated})` : ""}`,
      );
    } catch {
      // it reports on the process and must not end it
    }
  };

  const logs = new Map<LogScope, Log>();
  const of = (scope: LogScope): Log => {
    const known = logs.get(scope);
    if (known !== undefined) return known;
    const log: Log = {
      error: (message) => say(scope, "error", message),
      warn: (message) => say(scope, "warn", message),
      info: (message) => say(scope, "info", message),
      debug: (message) => say(scope, "debug", message),
      trace: (message) => say(scope, "trace", message),
      scope: of,
      get levels() {
        return state.levels;
      },
      set levels(next) {
        state.levels = next;
      },
    };
    logs.set(scope, log);
    return log;
  };
  return of("mesh");
}

/** @returns how often it came without being written; -1: it is not written now either */
function repeats(key: string, known: Map<string, { until: number; count: number }>, now: number): number {
  const last = known.get(key);
  if (last !== undefined && now < last.until) {
    last.count++;
    return -1;
  }
  known.delete(key); // to the end of the order
  if (known.size >= MOST_MESSAGES) known.delete(known.keys().next().value!); // it has some
  known.set(key, { until: now + REPEAT_MS, count: 0 });
  return last?.count ?? 0;
}

/** A log must never end the process it reports on. */
function toStderr(line: string): void {
  try {
    process.stderr.write(line);
  } catch {
    // stderr is closed: nobody is listening
  }
}
