/** Requests into bytes. By hand: they are sent as often as endpoints change. Field numbers: discovery.proto. */

import { LENGTH, VARINT } from "../../proto/wire-reader.js";
import { WireWriter } from "../../proto/wire-writer.js";
import type { AdsProblem, DeltaRequest, SotwRequest } from "./messages.js";

export function encodeSotwRequest({ node, typeUrl, version, names, nonce, error }: SotwRequest): Uint8Array {
  const writer = new WireWriter(256);
  text(writer, 1, version);
  if (node !== undefined) writer.tag(2, LENGTH).part(node);
  for (const name of names) writer.tag(3, LENGTH).string(name);
  text(writer, 4, typeUrl);
  text(writer, 5, nonce);
  problem(writer, 6, error);
  return writer.finish();
}

export function encodeDeltaRequest(request: DeltaRequest): Uint8Array {
  const { node, typeUrl, subscribe, unsubscribe, initialVersions, nonce, error } = request;
  const writer = new WireWriter(256);
  if (node !== undefined) writer.tag(1, LENGTH).part(node);
  text(writer, 2, typeUrl);
  for (const name of subscribe) writer.tag(3, LENGTH).string(name);
  for (const name of unsubscribe) writer.tag(4, LENGTH).string(name);
  for (const [name, version] of initialVersions) {
    const entry = new WireWriter();
    writer.tag(5, LENGTH).part(entry.tag(1, LENGTH).string(name).tag(2, LENGTH).string(version).finish());
  }
  text(writer, 6, nonce);
  problem(writer, 7, error);
  return writer.finish();
}

function text(writer: WireWriter, field: number, value: string): void {
  if (value !== "") writer.tag(field, LENGTH).string(value);
}

function problem(writer: WireWriter, field: number, error: AdsProblem | undefined): void {
  if (error === undefined) return;
  const status = new WireWriter().tag(1, VARINT).varint(error.code);
  text(status, 2, error.message);
  writer.tag(field, LENGTH).part(status.finish());
}
