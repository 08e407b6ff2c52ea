/** The name of a resource without reading the rest: of Envoy's listeners, routes, clusters, endpoints and secrets it is field 1. */

import { WireReader } from "../proto/wire-reader.js";

/** The text in field 1; empty where there is none. @throws {WireError} */
export function firstText(bytes: Uint8Array): string {
  const reader = new WireReader(bytes);
  let text = "";
  while (!reader.done) {
    const tag = reader.tag();
    if (tag === 10) text = reader.string();
    else reader.skip(tag & 7);
  }
  return text;
}
