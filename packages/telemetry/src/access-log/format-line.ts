/** Formats that somebody wrote, compiled: text with operators, or a map of names to such texts. */

import type { OutcomeRecord } from "@inmesh/core";
import { parseLogFormat } from "@inmesh/model";
import { compileOperator, type Reads } from "./operators.js";

export type WriteLine = (record: OutcomeRecord) => string;

/** Istio's (EnvoyTextLogFormat), in our own words: the order of its fields. */
export const DEFAULT_TEXT = [
  '[%START_TIME%] "%REQ(:METHOD)% %REQ(X-ENVOY-ORIGINAL-PATH?:PATH)% %PROTOCOL%" %RESPONSE_CODE% %RESPONSE_FLAGS%',
  "%RESPONSE_CODE_DETAILS% %CONNECTION_TERMINATION_DETAILS%",
  '"%UPSTREAM_TRANSPORT_FAILURE_REASON%" %BYTES_RECEIVED% %BYTES_SENT% %DURATION%',
  '%RESP(X-ENVOY-UPSTREAM-SERVICE-TIME)% "%REQ(X-FORWARDED-FOR)%" "%REQ(USER-AGENT)%" "%REQ(X-REQUEST-ID)%"',
  '"%REQ(:AUTHORITY)%" "%UPSTREAM_HOST%" %UPSTREAM_CLUSTER_RAW% %UPSTREAM_LOCAL_ADDRESS% %DOWNSTREAM_LOCAL_ADDRESS%',
  "%DOWNSTREAM_REMOTE_ADDRESS% %REQUESTED_SERVER_NAME% %ROUTE_NAME%\n",
].join(" ");

export function compileText(format: string, query: boolean): WriteLine {
  const parts = compileParts(format, query);
  const ends = format.endsWith("\n");
  return (record) => {
    let line = "";
    for (const part of parts) line += typeof part === "string" ? part : escaped(part(record));
    return ends ? line : `${line}\n`;
  };
}

/** Values with one operator keep their kind: numbers are numbers. What is not there is left out. */
export function compileJson(format: Readonly<Record<string, unknown>>, query: boolean): WriteLine {
  const read = compileValue(format, query, 0);
  return (record) => `${JSON.stringify(read(record) ?? {})}\n`;
}

/** The same, as an object. */
export function compileLabels(
  format: Readonly<Record<string, unknown>>,
  query: boolean,
): (record: OutcomeRecord) => Readonly<Record<string, unknown>> {
  return compileValue(format, query, 0) as (record: OutcomeRecord) => Readonly<Record<string, unknown>>;
}

const DEEPEST = 8;

function compileValue(format: unknown, query: boolean, depth: number): (record: OutcomeRecord) => unknown {
  if (typeof format === "string") {
    const parts = compileParts(format, query);
    const [only] = parts;
    if (parts.length === 1 && typeof only === "function") return only;
    return (record) => {
      let text = "";
      for (const part of parts) text += typeof part === "string" ? part : (part(record) ?? "-");
      return text;
    };
  }
  if (depth < DEEPEST && Array.isArray(format)) {
    const items = format.map((item) => compileValue(item, query, depth + 1));
    return (record) => items.map((item) => item(record) ?? null);
  }
  if (depth < DEEPEST && typeof format === "object" && format !== null) {
    const entries = Object.entries(format).map(([key, value]) => [key, compileValue(value, query, depth + 1)] as const);
    return (record) => {
      const found: Record<string, unknown> = Object.create(null);
      for (const [key, read] of entries) found[key] = read(record);
      return found;
    };
  }
  return () => format;
}

/** Problems were said when the format was read; what could be read of it is used. */
function compileParts(format: string, query: boolean): readonly (string | Reads)[] {
  return parseLogFormat(format).parts.map((part) => (typeof part === "string" ? part : compileOperator(part, query)));
}

/** A line stays one, and a quoted value ends where it ends, whatever a peer sends. */
const RISKY = /["\\\p{Cc}\u2028\u2029]/gu;

function escaped(value: string | number | undefined): string {
  if (value === undefined || value === "") return "-";
  if (typeof value === "number") return String(value);
  return value.replace(RISKY, escapeOf);
}

function escapeOf(character: string): string {
  if (character === '"' || character === "\\") return `\\${character}`;
  return `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`;
}
