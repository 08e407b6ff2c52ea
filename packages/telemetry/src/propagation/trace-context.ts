/**
 * W3C Trace Context: `traceparent` and `tracestate`, read as strictly as the W3C's own test suite asks. What is written
 * wrongly is as good as not there: the trace begins anew.
 */

/** Where in a trace a request is. */
export interface TraceContext {
  /** 32 hexadecimal digits, not all 0. */
  readonly traceId: string;
  /** 16 hexadecimal digits, not all 0. */
  readonly spanId: string;
  /** Bit 0: sampled; bit 1: its id is random (level 2). */
  readonly flags: number;
  /** As it is passed on; empty. */
  readonly traceState: string;
}

/** By lower-case name; several lines of one name joined by commas, as Node joins them. */
export type ReadHeader = (name: string) => string | undefined;

export const SAMPLED = 1;
/** Its id is random (level 2): whoever goes on in a trace leaves it as it is. */
export const RANDOM_ID = 2;
/** Bits that version 00 knows (level 2). */
const KNOWN_FLAGS = SAMPLED | RANDOM_ID;
const NO_TRACE = "0".repeat(32);
const NO_SPAN = "0".repeat(16);

const TRACEPARENT = /^[ \t]*([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(-.*)?[ \t]*$/;
/** Longest line looked at: later versions may add fields. */
const LONGEST_TRACEPARENT = 512;

/** @returns undefined for what no version of the standard allows */
export function parseTraceparent(line: string): Omit<TraceContext, "traceState"> | undefined {
  if (line.length > LONGEST_TRACEPARENT) return undefined;
  const found = TRACEPARENT.exec(line);
  if (found === null) return undefined;
  const [, version, traceId, spanId, flags, more] = found as unknown as [
    string,
    string,
    string,
    string,
    string,
    string?,
  ];
  if (version === "ff" || traceId === NO_TRACE || spanId === NO_SPAN) return undefined;
  if (version === "00" && more !== undefined) return undefined;
  return { traceId, spanId, flags: Number.parseInt(flags, 16) & KNOWN_FLAGS };
}

export function formatTraceparent({ traceId, spanId, flags }: Omit<TraceContext, "traceState">): string {
  return `00-${traceId}-${spanId}-0${flags & KNOWN_FLAGS}`;
}

/** Members, and bytes, that are passed on at most. The standard asks for 512 at least. */
const MOST_MEMBERS = 32;
const LONGEST_STATE = 8_192;
/** Level 2 §3.3.1.3.1: wider than level 1, which knew tenants before an `@` and no digit in front; its tests ask for this one. */
const KEY = /^[a-z0-9][a-z0-9_\-*/@]{0,255}$/;
const VALUE = /^[\x20-\x2b\x2d-\x3c\x3e-\x7e]{0,255}[\x21-\x2b\x2d-\x3c\x3e-\x7e]$/;

/** @returns the list as it is passed on; empty when it breaks the rules: half of a list says something that nobody said */
export function readTracestate(line: string | undefined): string {
  if (line === undefined || line.length > LONGEST_STATE) return "";
  const members: string[] = [];
  const keys = new Set<string>();
  for (const part of line.split(",")) {
    const member = trimBlanks(part);
    if (member === "") continue;
    const equals = member.indexOf("=");
    const key = member.slice(0, equals);
    if (equals < 1 || !KEY.test(key) || !VALUE.test(member.slice(equals + 1))) return "";
    if (keys.has(key)) continue; // the first is the newest
    keys.add(key);
    members.push(member);
    if (members.length > MOST_MEMBERS) return "";
  }
  return members.join(",");
}

/** Spaces and tabs only: what else `trim` takes away is no blank of HTTP's. */
function trimBlanks(text: string): string {
  let from = 0;
  let to = text.length;
  while (from < to && isBlank(text.charCodeAt(from))) from++;
  while (to > from && isBlank(text.charCodeAt(to - 1))) to--;
  return text.slice(from, to);
}

function isBlank(code: number): boolean {
  return code === 32 || code === 9;
}
