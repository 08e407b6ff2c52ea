/** Parts of a message that are wanted as bytes, without reading the rest. */

import { LENGTH, WireReader } from "../proto/wire-reader.js";

/** Every message at a path of field numbers. @throws {WireError} */
export function wireParts(bytes: Uint8Array, [field, ...rest]: readonly number[]): readonly Uint8Array[] {
  if (field === undefined) return [bytes];
  const found: Uint8Array[] = [];
  const reader = new WireReader(bytes);
  while (!reader.done) {
    const tag = reader.tag();
    if (tag >>> 3 === field && (tag & 7) === LENGTH) found.push(...wireParts(reader.part(), rest));
    else reader.skip(tag & 7);
  }
  return found;
}
