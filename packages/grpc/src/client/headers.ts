/** gRPC metadata as the engine reads headers, flat `[name, value, …]`, and back. */

import type { HeaderReader } from "@inmesh/core";
import { TIMEOUT_HEADER } from "@inmesh/core/internal";
import type { Metadata, MetadataOptions } from "../grpc-js.js";
import type { GrpcModule } from "./grpc-module.js";
import type { StreamHeaders } from "./inner-channel.js";

const CONTENT_TYPE = "content-type";
const GRPC = "application/grpc";
/** gRFC A6; and the protocol's own deadline, in at most eight digits. */
const PREVIOUS_ATTEMPTS = "grpc-previous-rpc-attempts";
const GRPC_TIMEOUT = "grpc-timeout";
const MOST_DIGITS_MS = 99_999_999;

/** Binary values in base64, as on the wire. */
export function toHeaders(metadata: Metadata): string[] {
  const headers = [CONTENT_TYPE, GRPC];
  const lines = metadata.toHttp2Headers();
  for (const name in lines) {
    const value = lines[name];
    if (Array.isArray(value)) for (const each of value) headers.push(name, String(each));
    else if (value !== undefined) headers.push(name, String(value));
  }
  return headers;
}

/** What grpc-js's own layers add to every call. */
const ACCEPTED_ENCODINGS = "identity,deflate,gzip";
const ACCEPT_ENCODING = "accept-encoding";
const GRPC_ACCEPT_ENCODING = "grpc-accept-encoding";
const GRPC_ENCODING = "grpc-encoding";
const WRITTEN_HERE: ReadonlySet<string> = new Set([CONTENT_TYPE, ACCEPT_ENCODING, GRPC_ACCEPT_ENCODING, GRPC_ENCODING]);

/** The same as lines for HTTP/2, where no layer of grpc-js is to see them before. */
export class WireHeaders implements StreamHeaders {
  readonly #headers: readonly string[];
  readonly #attempt: number;

  /** @param attempt 1 for the first */
  constructor(headers: readonly string[], attempt: number) {
    this.#headers = headers;
    this.#attempt = attempt;
  }

  toHttp2Headers(): Record<string, string | string[]> {
    const lines: Record<string, string | string[]> = {
      [GRPC_ACCEPT_ENCODING]: ACCEPTED_ENCODINGS,
      [ACCEPT_ENCODING]: "identity",
    };
    const headers = this.#headers;
    for (let index = 0; index < headers.length; index += 2) {
      const name = headers[index]!.toLowerCase(); // flat pairs
      const value = headers[index + 1]!;
      if (WRITTEN_HERE.has(name)) continue;
      const known = lines[name];
      if (known === undefined) lines[name] = value;
      else if (typeof known === "string") lines[name] = [known, value];
      else known.push(value);
      if (name === TIMEOUT_HEADER) lines[GRPC_TIMEOUT] = timeoutText(Number(value));
    }
    if (this.#attempt > 1) lines[PREVIOUS_ATTEMPTS] = String(this.#attempt - 1);
    return lines;
  }
}

/** @param attempt 1 for the first */
export function toMetadata(
  { Metadata }: GrpcModule,
  headers: readonly string[],
  { corked }: MetadataOptions,
  attempt: number,
): Metadata {
  const metadata = corked === undefined ? new Metadata() : new Metadata({ corked });
  for (let index = 0; index < headers.length; index += 2) {
    const name = headers[index]!; // flat pairs
    const value = headers[index + 1]!;
    if (name === CONTENT_TYPE) continue; // grpc-js writes it
    if (name.endsWith("-bin")) metadata.add(name, Buffer.from(value, "base64"));
    else metadata.add(name, value);
    if (name === TIMEOUT_HEADER) metadata.set(GRPC_TIMEOUT, timeoutText(Number(value)));
  }
  if (attempt > 1) metadata.set(PREVIOUS_ATTEMPTS, String(attempt - 1));
  return metadata;
}

/** @param status its number and details, which grpc-js takes out of the metadata */
export function readerOf(
  metadata: Metadata,
  status?: { readonly code: number; readonly details: string },
): HeaderReader {
  return (name) => {
    if (status !== undefined && name === "grpc-status") return String(status.code);
    if (status !== undefined && name === "grpc-message") return status.details;
    const value = metadata.get(name)[0];
    return value === undefined ? undefined : typeof value === "string" ? value : value.toString("base64");
  };
}

/** Whether an answer's head is gRPC's: proxies and other servers answer in HTTP. */
export function isGrpcHead(metadata: Metadata): boolean {
  return String(metadata.get(CONTENT_TYPE)[0] ?? "").startsWith(GRPC);
}

function timeoutText(ms: number): string {
  return ms <= MOST_DIGITS_MS ? `${ms}m` : `${Math.floor(ms / 1_000)}S`;
}
