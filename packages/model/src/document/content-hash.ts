/** Hash of what a document says, whatever the order of its keys, its comments and its layout. */

import { createHash } from "node:crypto";

/** 128 bits as hex. `status` is left out: it is written by controllers and is no policy. */
export function contentHash(value: Readonly<Record<string, unknown>>): string {
  const hash = createHash("sha256");
  for (const key of Object.keys(value).sort()) {
    if (key !== "status") hash.update(`${JSON.stringify(key)}:${canonicalJson(value[key])},`);
  }
  return hash.digest("hex").slice(0, 32);
}

/** JSON with sorted keys. @param value plain data, as documents hold it */
export function canonicalJson(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(canonicalJson).join(",")}]`;
  if (typeof value === "object" && value !== null) {
    const entries = Object.keys(value).sort();
    const data = value as Readonly<Record<string, unknown>>;
    return `{${entries.map((key) => `${JSON.stringify(key)}:${canonicalJson(data[key])}`).join(",")}}`;
  }
  // JSON has no NaN and no infinities: as text they stay apart from null and from strings.
  return typeof value === "number" && !Number.isFinite(value) ? String(value) : (JSON.stringify(value) ?? "null");
}
