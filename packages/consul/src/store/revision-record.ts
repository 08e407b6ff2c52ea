/** A change as its key in the history holds it: JSON for people who look at the store, large texts packed. */

import { gunzipSync, gzipSync } from "node:zlib";
import type { Revision } from "@inmesh/core";

/** Characters up to which texts stand there plainly. */
const PLAIN = 8 * 1024;
/** Bytes that a packed text may unfold to: no document is larger than a few times a value. */
const MOST_UNPACKED = 4 * 1024 * 1024;

type Texts = Pick<Revision, "before" | "after">;

/** @param bytes room for it: texts that do not fit are left out, which the record says */
export function formatRevision({ before, after, ...revision }: Revision, bytes: number): string {
  const texts: Texts = { ...(before !== undefined && { before }), ...(after !== undefined && { after }) };
  const plain = JSON.stringify({ ...revision, ...texts });
  if (plain.length <= PLAIN) return plain;
  const packed = JSON.stringify({ ...revision, packed: gzipSync(JSON.stringify(texts)).toString("base64") });
  return Buffer.byteLength(packed) <= bytes ? packed : JSON.stringify({ ...revision, omitted: true });
}

/** Undefined for a text that is no record. */
export function parseRevision(text: string): Revision | undefined {
  try {
    const { packed, ...found } = JSON.parse(text) as Partial<Revision> & { packed?: string };
    const { id, key, at, who, outcome } = found;
    const whole = [id, key, who, outcome].every((field) => typeof field === "string") && typeof at === "number";
    if (!whole) return undefined;
    if (packed === undefined) return found as Revision;
    const unpacked = gunzipSync(Buffer.from(packed, "base64"), { maxOutputLength: MOST_UNPACKED }).toString("utf8");
    return { ...(found as Revision), ...(JSON.parse(unpacked) as Texts) };
  } catch {
    return undefined;
  }
}
