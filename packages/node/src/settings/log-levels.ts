/** `warn`, `warn,tls:debug,registry:trace` → levels. */

import { LOG_LEVELS, LOG_SCOPES, type Logger, type LogLevel, type LogLevels, type LogScope } from "../log.js";
import { type Invalid, isInvalid } from "./values.js";

export const LEVELS_EXPECT = `${LOG_LEVELS.slice(0, -1).join(", ")} or ${LOG_LEVELS.at(-1)}, and scope:level after commas`;

export function logSetting(value: unknown): string | Logger | Invalid {
  if (value === false) return "off"; // YAML 1.1 writers mean this
  if (isLogger(value)) return value;
  const read = readLevels(String(value), { level: "warn", scopes: {} });
  return isInvalid(read) ? read : String(value);
}

/** @param base what holds where the text says nothing */
export function readLevels(text: string, base: LogLevels): LogLevels | Invalid {
  let { level } = base;
  const scopes: Partial<Record<LogScope, LogLevel>> = { ...base.scopes };
  for (const part of text.split(",")) {
    const [first = "", second] = part.trim().split(":");
    const name = second ?? first;
    if (!isLevel(name)) return { invalid: `expected ${LEVELS_EXPECT}` };
    if (second === undefined) level = name;
    else if (isScope(first)) scopes[first] = name;
    else
      return { invalid: `there is no scope ${JSON.stringify(first.slice(0, 40))}; there are ${LOG_SCOPES.join(", ")}` };
  }
  return { level, scopes };
}

function isLevel(name: string): name is LogLevel {
  return LOG_LEVELS.some((level) => level === name);
}

function isScope(name: string): name is LogScope {
  return LOG_SCOPES.some((scope) => scope === name);
}

function isLogger(value: unknown): value is Logger {
  if (typeof value !== "object" || value === null) return false;
  return ["error", "warn", "info", "debug"].every(
    (name) => typeof (value as Record<string, unknown>)[name] === "function",
  );
}
