/** `/logging`: what the mesh says about itself, and how much of it; changed by POST, as Envoy's. */

import { LOG_SCOPES, type LogLevels } from "../log.js";
import type { DataPlane } from "../plane/data-plane.js";
import { readLevels } from "../settings/log-levels.js";
import { isInvalid } from "../settings/values.js";
import { failedPage, okPage, type Page } from "./page.js";

export interface LoggingView {
  /** Of scopes that have none of their own. */
  readonly level: string;
  readonly scopes: Readonly<Record<string, string>>;
  /** Where lines of the access log go, and how many were written and dropped. */
  readonly accessLog: readonly { readonly to: string; readonly written: number; readonly dropped: number }[];
}

export function loggingPage(plane: DataPlane): Page {
  const view = loggingView(plane);
  return okPage(view, () => loggingText(view));
}

/** `?level=debug` for all, `?tls=debug&registry=trace` for some, `?levels=warn,tls:debug` as INMESH_LOG. */
export function setLogging(plane: DataPlane, query: URLSearchParams): Page {
  const parts = [...query].filter(([name]) => name !== "format");
  if (parts.length === 0) return failedPage(400, "say which: ?level=debug, or ?tls=debug for one scope");
  let levels: LogLevels = plane.log.levels;
  for (const [name, value] of parts) {
    const text = name === "level" || name === "levels" ? value : `${name}:${value}`;
    // As Envoy's: a level for all leaves none to a scope of its own.
    const read = readLevels(text, name === "level" ? { ...levels, scopes: {} } : levels);
    if (isInvalid(read)) return failedPage(400, `${name}=${value.slice(0, 80)}: ${read.invalid}`);
    levels = read;
  }
  plane.log.levels = levels;
  plane.events.add("admin", `log levels: ${levelsText(levels)}`);
  return loggingPage(plane);
}

function loggingView({ log: { levels }, accessLog }: DataPlane): LoggingView {
  const scopes = Object.fromEntries(LOG_SCOPES.map((scope) => [scope, levels.scopes[scope] ?? levels.level]));
  return { level: levels.level, scopes, accessLog: accessLog?.read() ?? [] };
}

function loggingText({ level, scopes, accessLog }: LoggingView): string {
  const lines = Object.entries(scopes).map(([scope, own]) => `  ${scope}: ${own}`);
  const logs = accessLog.map(
    ({ to, written, dropped }) => `access log to ${to}: ${written} written, ${dropped} dropped`,
  );
  return [`level: ${level}`, ...lines, ...logs, ""].join("\n");
}

function levelsText({ level, scopes }: LogLevels): string {
  return [level, ...Object.entries(scopes).map(([scope, own]) => `${scope}:${own}`)].join(",");
}
