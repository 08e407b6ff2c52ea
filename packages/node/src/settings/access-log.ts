/** The setting `accessLog`: `json`, `text`, `off`, `json,file=/var/log/access.log,slowMs=200`, a mapping, a logger or a function. */

import type { AccessLogEntry, EntryLogger, OwnLog } from "@inmesh/telemetry/access-log";
import { type Invalid, isInvalid, text, truth } from "./values.js";

export interface AccessLogSettings {
  /** @default "json" */
  readonly encoding?: "json" | "text";
  /** Envoy's text with operators, or a map of names to such texts. @default that of `encoding` */
  readonly format?: string | Readonly<Record<string, unknown>>;
  /** Appended to. @default stdout */
  readonly file?: string;
  /** Past which the file is set aside as `NAME.1`. @default never */
  readonly maxBytes?: number;
  /** A logger such as pino, or a function; in place of a file. */
  readonly to?: EntryLogger | ((entry: AccessLogEntry) => void);
  /** Of what neither failed nor was slow nothing is written. @default false */
  readonly onlyErrors?: boolean;
  /** From here on a call is slow. Of what neither failed nor was slow nothing is written, unless `sampleRatio` says so. */
  readonly slowMs?: number;
  /** Of what neither failed nor was slow, 0–1. @default 1, or 0 with `onlyErrors` or `slowMs` */
  readonly sampleRatio?: number;
  /** Paths are written with their query. @default false */
  readonly query?: boolean;
}

export type AccessLogSetting =
  | "off"
  | "json"
  | "text"
  | AccessLogSettings
  | EntryLogger
  | ((entry: AccessLogEntry) => void);

export const ACCESS_LOG_EXPECTS =
  "off, json or text, with file=, maxBytes=, slowMs=, sampleRatio=, onlyErrors and query after commas";

const expected: Invalid = { invalid: `expected ${ACCESS_LOG_EXPECTS}` };

export function accessLog(value: unknown): "off" | AccessLogSettings | Invalid {
  if (value === false) return "off"; // YAML 1.1 writers mean this
  if (isDestination(value)) return { to: value };
  if (typeof value === "object" && value !== null && !Array.isArray(value)) return readParts(Object.entries(value));
  const words = text(value);
  if (typeof words !== "string") return expected;
  if (words === "off") return "off";
  return readParts(
    words.split(",").map((part): [string, unknown] => {
      const [name = "", ...rest] = part.trim().split("=");
      if (rest.length > 0) return [name, rest.join("=")];
      return name === "json" || name === "text" ? ["encoding", name] : [name, true];
    }),
  );
}

/** Undefined: nobody said. Paths are the working directory's. */
export function ownLog(
  said: AccessLogSetting | undefined,
  located: (path: string) => string,
): OwnLog | "off" | undefined {
  if (said === undefined || said === "off") return said;
  const settings = accessLog(said) as AccessLogSettings; // it was read before
  const { encoding = "json", format, file, maxBytes, to, onlyErrors = false, slowMs, query = false } = settings;
  const ratio = onlyErrors || slowMs !== undefined ? 0 : 1;
  return {
    ...{ encoding, query },
    path: file === undefined ? "stdout" : /^(?:-|std(?:out|err))$/.test(file) ? file : located(file),
    ...(format !== undefined && { format }),
    ...(maxBytes !== undefined && { maxBytes }),
    ...(to !== undefined && { to }),
    sampleRatio: settings.sampleRatio ?? ratio,
    slowMs: slowMs ?? Number.POSITIVE_INFINITY,
  };
}

function isDestination(value: unknown): value is NonNullable<AccessLogSettings["to"]> {
  if (typeof value === "function") return true;
  return typeof value === "object" && value !== null && typeof (value as { info?: unknown }).info === "function";
}

const READ: Readonly<Record<keyof AccessLogSettings, (value: unknown) => unknown>> = {
  encoding: (value) => (value === "json" || value === "text" ? value : expected),
  format: (value) => (typeof value === "string" || isMap(value) ? value : expected),
  file: text,
  maxBytes: (value) => number(value, 1_024, Number.MAX_SAFE_INTEGER),
  to: (value) => (isDestination(value) ? value : expected),
  onlyErrors: truth,
  slowMs: (value) => number(value, 0, 86_400_000),
  sampleRatio: (value) => number(value, 0, 1),
  query: truth,
};

function readParts(parts: readonly (readonly [string, unknown])[]): AccessLogSettings | Invalid {
  const found: Record<string, unknown> = {};
  for (const [name, value] of parts) {
    if (!Object.hasOwn(READ, name)) return expected;
    const read = READ[name as keyof AccessLogSettings](value);
    if (isInvalid(read)) return name === "encoding" ? expected : { invalid: `${name}: ${read.invalid}` };
    found[name] = read;
  }
  return found;
}

function number(value: unknown, least: number, most: number): number | Invalid {
  const read = typeof value === "string" && value.trim() !== "" ? Number(value) : value;
  if (typeof read === "number" && read >= least && read <= most) return read;
  return { invalid: `expected a number from ${least} to ${most}` };
}

function isMap(value: unknown): boolean {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
