/**
 * Of an endpoint's metadata (envoy.config.core.v3.Metadata), the three texts that mean something here. Endpoints of one
 * workload have the same bytes, so what was read last is looked at first.
 */

import { LENGTH, WireReader } from "../../proto/wire-reader.js";
import type { EndpointMetadata } from "./assignment.js";

/** Name of the filter, then of the field, then where it goes. */
const WANTED: Readonly<Record<string, Readonly<Record<string, keyof EndpointMetadata>>>> = {
  "envoy.transport_socket_match": { tlsMode: "tlsMode" },
  istio: { workload: "workload" },
  "envoy.lb": { hash_key: "hashKey" },
};

/** Of all endpoints without any. */
const NO_METADATA: EndpointMetadata = Object.freeze({ tlsMode: "", workload: "", hashKey: "" });

type Draft = { -readonly [Key in keyof EndpointMetadata]: string };

export class MetadataReader {
  readonly none = NO_METADATA;
  readonly #reader: WireReader;
  #last = NO_METADATA;
  #lastAt = 0;
  #lastLength = 0;

  constructor(reader: WireReader) {
    this.#reader = reader;
  }

  /** The metadata that come next. @throws {WireError} */
  next(): EndpointMetadata {
    const reader = this.#reader;
    const outer = reader.enter();
    const { bytes, position: at, end } = reader;
    reader.position = end;
    reader.leave(outer);
    if (this.#isLast(bytes, at, end - at)) return this.#last;
    const draft: Draft = { ...this.none };
    eachEntry(new WireReader(bytes, at, end), (filter, struct) => {
      const wanted = Object.hasOwn(WANTED, filter) ? WANTED[filter] : undefined;
      if (wanted === undefined) return;
      eachEntry(struct, (field, value) => {
        const target = Object.hasOwn(wanted, field) ? wanted[field] : undefined;
        if (target !== undefined) draft[target] = text(value);
      });
    });
    this.#last = draft;
    this.#lastAt = at;
    this.#lastLength = end - at;
    return draft;
  }

  #isLast(bytes: Uint8Array, at: number, length: number): boolean {
    if (length !== this.#lastLength) return false;
    const before = this.#lastAt;
    for (let index = 0; index < length; index++) if (bytes[before + index] !== bytes[at + index]) return false;
    return true;
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
