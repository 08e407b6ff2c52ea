/**
 * Bytes into answers, of which only the envelope is read: resources stay as they came until it is their turn, and one that did not
 * change costs a comparison. Field numbers: discovery.proto; those of `resource_errors` are of the Envoy API after proposal TP3.
 */

import { LENGTH, WireReader } from "../../proto/wire-reader.js";
import type { AdsAnswer, SentError, SentResource, SentResources } from "./messages.js";

const WRAPPER = "envoy.service.discovery.v3.Resource";

interface Draft {
  typeUrl: string;
  version: string;
  nonce: string;
  controlPlane: string | undefined;
  readonly parts: Uint8Array[];
  readonly removed: string[];
  readonly errors: SentError[];
}

/** @throws {WireError} */
export function decodeSotwAnswer(bytes: Uint8Array): AdsAnswer {
  const draft = emptyDraft();
  eachField(new WireReader(bytes), (field, reader) => {
    if (field === 1) draft.version = reader.string();
    else if (field === 2) draft.parts.push(reader.part());
    else if (field === 4) draft.typeUrl = reader.string();
    else if (field === 5) draft.nonce = reader.string();
    else if (field === 6) draft.controlPlane = stringAt(reader.nested(), 1);
    else if (field === 7) draft.errors.push(sentError(reader.nested()));
    else reader.skip(LENGTH);
  });
  // In this form the version of each resource is that of the answer.
  return answerOf(draft, (part) => ({ ...sentAny(part), version: draft.version }));
}

/** @throws {WireError} */
export function decodeDeltaAnswer(bytes: Uint8Array): AdsAnswer {
  const draft = emptyDraft();
  eachField(new WireReader(bytes), (field, reader) => {
    if (field === 1) draft.version = reader.string();
    else if (field === 2) draft.parts.push(reader.part());
    else if (field === 4) draft.typeUrl = reader.string();
    else if (field === 5) draft.nonce = reader.string();
    else if (field === 6) draft.removed.push(reader.string());
    else if (field === 7) draft.controlPlane = stringAt(reader.nested(), 1);
    else if (field === 8) draft.removed.push(stringAt(reader.nested(), 1));
    else if (field === 9) draft.errors.push(sentError(reader.nested()));
    else reader.skip(LENGTH);
  });
  return answerOf(draft, (part) => wrapped(new WireReader(part)));
}

function emptyDraft(): Draft {
  return { typeUrl: "", version: "", nonce: "", controlPlane: undefined, parts: [], removed: [], errors: [] };
}

function answerOf({ parts, ...envelope }: Draft, open: (part: Uint8Array) => SentResource): AdsAnswer {
  const resources: SentResources = {
    length: parts.length,
    at: (index) => open(parts[index]!), // asked below its length
    *[Symbol.iterator]() {
      for (const part of parts) yield open(part);
    },
  };
  return { ...envelope, resources };
}

/** An Any, and what is in the wrapper where it is one: allowed in the state-of-the-world form to clients that say so. */
function sentAny(bytes: Uint8Array): SentResource {
  const any = anyOf(new WireReader(bytes));
  if (any.type === WRAPPER) return wrapped(new WireReader(any.value));
  return { ...any, name: undefined, version: "", ttlMs: undefined };
}

function wrapped(reader: WireReader): SentResource {
  let name: string | undefined;
  let version = "";
  let type = "";
  let value: Uint8Array | undefined;
  let ttlMs: number | undefined;
  eachField(reader, (field, inner) => {
    if (field === 1) version = inner.string();
    else if (field === 2) ({ type, value } = anyOf(inner.nested()));
    else if (field === 3) name = inner.string();
    else if (field === 6) ttlMs = durationMs(inner.nested());
    else if (field === 8) name = stringAt(inner.nested(), 1);
    else inner.skip(LENGTH);
  });
  return { type, value, name: name ?? "", version, ttlMs };
}

function anyOf(reader: WireReader): { readonly type: string; readonly value: Uint8Array } {
  let url = "";
  let value: Uint8Array = EMPTY;
  eachField(reader, (field, inner) => {
    if (field === 1) url = inner.string();
    else if (field === 2) value = inner.part();
    else inner.skip(LENGTH);
  });
  return { type: url.slice(url.lastIndexOf("/") + 1), value };
}

const EMPTY = new Uint8Array(0);

/** A ResourceError: its ResourceName, and a google.rpc.Status. */
function sentError(reader: WireReader): SentError {
  let name = "";
  let code = 2; // UNKNOWN
  let message = "";
  eachField(reader, (field, inner) => {
    if (field === 1) name = stringAt(inner.nested(), 1);
    else if (field === 2) {
      code = 0;
      const status = inner.nested();
      while (!status.done) {
        const tag = status.tag();
        if (tag === 8) code = status.varint();
        else if (tag === 18) message = status.string();
        else status.skip(tag & 7);
      }
    } else inner.skip(LENGTH);
  });
  return { name, problem: { code, message } };
}

function durationMs(reader: WireReader): number {
  let ms = 0;
  while (!reader.done) {
    const tag = reader.tag();
    if (tag === 8) ms += Number(BigInt.asIntN(64, reader.varint64())) * 1_000;
    else if (tag === 16) ms += Number(BigInt.asIntN(32, reader.varint64())) / 1e6;
    else reader.skip(tag & 7);
  }
  return ms;
}

function stringAt(reader: WireReader, wanted: number): string {
  let text = "";
  eachField(reader, (field, inner) => {
    if (field === wanted) text = inner.string();
    else inner.skip(LENGTH);
  });
  return text;
}

/** Hands over fields with a length; `read` must read or skip the one it gets. Numbers are none that are needed here. */
function eachField(reader: WireReader, read: (field: number, reader: WireReader) => void): void {
  while (!reader.done) {
    const tag = reader.tag();
    if ((tag & 7) === LENGTH) read(tag >>> 3, reader);
    else reader.skip(tag & 7);
  }
}
