/** W3C Baggage between a header and the application's OpenTelemetry: bounded, and nothing of it is guessed. */

import { type Baggage, type BaggageEntry, baggageEntryMetadataFromString, propagation } from "@opentelemetry/api";

/** The standard's limits. */
const MOST_ENTRIES = 180;
const LONGEST = 8_192;
const TOKEN = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/;

/** @returns undefined where nothing of it can be read */
export function parseBaggage(line: string): Baggage | undefined {
  if (line.length > LONGEST) return undefined;
  const entries: Record<string, BaggageEntry> = Object.create(null);
  let count = 0;
  for (const member of line.split(",")) {
    const [pair = "", ...properties] = member.split(";");
    const equals = pair.indexOf("=");
    const key = pair.slice(0, equals).trim();
    if (equals < 1 || !TOKEN.test(key)) continue;
    const value = decoded(pair.slice(equals + 1).trim());
    if (value === undefined) continue;
    count += 1;
    if (count > MOST_ENTRIES) break;
    const metadata = properties.join(";").trim();
    entries[key] = metadata === "" ? { value } : { value, metadata: baggageEntryMetadataFromString(metadata) };
  }
  return count === 0 ? undefined : propagation.createBaggage(entries);
}

/** What does not fit is left out, the first entries stay. */
export function formatBaggage(baggage: Baggage): string {
  let line = "";
  let count = 0;
  for (const [key, { value, metadata }] of baggage.getAllEntries()) {
    if (!TOKEN.test(key)) continue;
    const properties = metadata === undefined ? "" : `;${metadata.toString()}`;
    const member = `${key}=${encodeURIComponent(value)}${properties}`;
    const longer = line === "" ? member : `${line},${member}`;
    count += 1;
    if (longer.length > LONGEST || count > MOST_ENTRIES) break;
    line = longer;
  }
  return /[\r\n\0]/.test(line) ? "" : line;
}

function decoded(value: string): string | undefined {
  try {
    return decodeURIComponent(value);
  } catch {
    return undefined;
  }
}
