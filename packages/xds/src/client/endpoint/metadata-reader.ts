/**
 * Of an endpoint's metadata (envoy.config.core.v3.Metadata), the three texts that mean something here. Endpoints of one
 * workload have the same bytes, so what was read last is looked at first.
 */

import { LENGTH, WireReader } from "../../proto/wire-reader.js";
import { sameBytes } from "../cache/entry.js";
import type { EndpointMetadata } from "./assignment.js";

/** Name of the filter, then of the field, then where it goes. */
const WANTED: Readonly<Record<string, Readonly<Record<string, keyof EndpointMetadata>>>> = {
  "envoy.transport_socket_match": { tlsMode: "tlsMode" },
  istio: { workload: "workload" },
  "envoy.lb": { hash_key: "hashKey" },
};

type Draft = { -readonly [Key in keyof EndpointMetadata]: string };

export class MetadataReader {
  readonly none: EndpointMetadata = { tlsMode: "", workload: "", hashKey: "" };
  #bytes: Uint8Array | undefined;
  #last: EndpointMetadata = this.none;

  /** @throws {WireError} */
  read(bytes: Uint8Array): EndpointMetadata {
    if (sameBytes(this.#bytes, bytes)) return this.#last;
    const draft: Draft = { ...this.none };
    eachEntry(new WireReader(bytes), (filter, struct) => {
      const wanted = Object.hasOwn(WANTED, filter) ? WANTED[filter] : undefined;
      if (wanted === undefined) return;
      eachEntry(struct, (field, value) => {
        const target = Object.hasOwn(wanted, field) ? wanted[field] : undefined;
        if (target !== undefined) draft[target] = text(value);
      });
    });
    this.#bytes = bytes;
    this.#last = draft;
    return draft;
  }
}

/** Entries of the map in field 1, whose keys are texts and whose values are messages. */
function eachEntry(reader: WireReader, take: (key: string, value: WireReader) => void): void {
  while (!reader.done) {
    const tag = reader.tag();
    if (tag !== 10) {
      reader.skip(tag & 7);
      continue;
    }
    const entry = reader.nested();
    let key = "";
    let value: WireReader | undefined;
    while (!entry.done) {
      const part = entry.tag();
      if (part === 10) key = entry.string();
      else if (part === 18) value = entry.nested();
      else entry.skip(part & 7);
    }
    if (value !== undefined) take(key, value);
  }
}

/** string_value of a google.protobuf.Value; empty where it is something else. */
function text(reader: WireReader): string {
  let found = "";
  while (!reader.done) {
    const tag = reader.tag();
    if (tag >>> 3 === 3 && (tag & 7) === LENGTH) found = reader.string();
    else reader.skip(tag & 7);
  }
  return found;
}
