/**
 * What an external authorizer is asked over gRPC, and what it answers: envoy.service.auth.v3, `CheckRequest` and `CheckResponse`.
 * Differs from HTTP: all headers of the request are told, as Envoy does where a provider lists none.
 */

import type { BodyStart, CheckedRequest } from "@inmesh/core";
import { protobufFields } from "@inmesh/core/internal";
import type { ExternalAuthorizer } from "@inmesh/model";
import { MessageWriter, textOf } from "./wire.js";

/** @param start undefined: the authorizer does not look at bodies */
export function checkRequest(
  authorizer: ExternalAuthorizer,
  { arrival, target, authority }: CheckedRequest,
  start: BodyStart | undefined,
): Uint8Array {
  const { peer, remoteAddress = "", localAddress = "", localPort = 0 } = arrival;
  const body = start?.bytes ?? new Uint8Array(0);
  const http = new MessageWriter().text(1, headerText(arrival.header("x-request-id"))).text(2, arrival.method);
  for (const [name, value] of headersOf({ arrival, target, authority })) http.entry(3, name, value);
  if (start !== undefined && body.length > 0) http.entry(3, "x-envoy-auth-partial-body", String(!start.complete));
  http.text(4, target).text(5, authority);
  http.text(6, headerText(arrival.header(":scheme")) || (peer === undefined ? "http" : "https"));
  http.number(9, body.length);
  http.text(10, arrival.header(":method") === undefined ? "HTTP/1.1" : "HTTP/2");
  if (authorizer.body?.packAsBytes === true) http.bytes(12, body);
  else http.text(11, textOf(body));
  const source = new MessageWriter().message(1, address(remoteAddress, 0));
  if (peer !== undefined) source.text(4, peer.id);
  const attributes = new MessageWriter()
    .message(1, source.finish())
    .message(2, new MessageWriter().message(1, address(localAddress, localPort)).finish())
    .message(4, new MessageWriter().message(2, http.finish()).finish());
  return new MessageWriter().message(1, attributes.finish()).finish();
}

/** Lower-case; lines of one name are one, as in Envoy. */
function headersOf({ arrival, target, authority }: CheckedRequest): ReadonlyMap<string, string> {
  const { lines, method } = arrival;
  const headers = new Map([
    [":authority", authority],
    [":method", method],
    [":path", target],
  ]);
  for (let index = 0; index < lines.length; index += 2) {
    const name = lines[index]!.toLowerCase(); // flat pairs
    if (name === "host" || headers.has(name)) continue;
    headers.set(name, headerText(arrival.header(name)));
  }
  return headers;
}

function headerText(value: string | readonly string[] | undefined): string {
  return typeof value === "string" ? value : (value ?? []).join(",");
}

function address(host: string, port: number): Uint8Array {
  const socket = new MessageWriter().text(2, host).number(3, port).finish();
  return new MessageWriter().message(1, socket).finish();
}

export interface HeaderChange {
  readonly name: string;
  readonly value: string;
  /** Beside what is there already. */
  readonly appends: boolean;
}

export interface CheckResponse {
  /** gRPC status; 0: it may pass. */
  readonly code: number;
  readonly message: string;
  readonly denied: { readonly status: number; readonly headers: readonly HeaderChange[]; readonly body: string };
  readonly ok: {
    readonly headers: readonly HeaderChange[];
    readonly remove: readonly string[];
    /** For the caller. */
    readonly answer: readonly HeaderChange[];
  };
  /** Asked for and not done here. */
  readonly changesQuery: boolean;
  /** It says something for later filters of Envoy's (`dynamic_metadata`), which no rule here can read. */
  readonly hasMetadata: boolean;
}

/** @throws {RangeError} for what is no such message */
export function checkResponse(message: Uint8Array): CheckResponse {
  let code = 0;
  let text = "";
  let changesQuery = false;
  let hasMetadata = false;
  const denied = { status: 0, headers: [] as HeaderChange[], body: "" };
  const ok = { headers: [] as HeaderChange[], remove: [] as string[], answer: [] as HeaderChange[] };
  for (const { number, bytes } of protobufFields(message)) {
    if (number === 1) {
      for (const each of protobufFields(bytes)) {
        if (each.number === 1) code = each.value;
        if (each.number === 2) text = textOf(each.bytes);
      }
    } else if (number === 2) {
      for (const each of protobufFields(bytes)) {
        if (each.number === 1)
          for (const inner of protobufFields(each.bytes)) if (inner.number === 1) denied.status = inner.value;
        if (each.number === 2) denied.headers.push(headerChange(each.bytes));
        if (each.number === 3) denied.body = textOf(each.bytes);
      }
    } else if (number === 4) {
      hasMetadata = bytes.length > 0;
    } else if (number === 3) {
      for (const each of protobufFields(bytes)) {
        if (each.number === 2) ok.headers.push(headerChange(each.bytes));
        if (each.number === 5) ok.remove.push(textOf(each.bytes).toLowerCase());
        if (each.number === 6) ok.answer.push(headerChange(each.bytes));
        if (each.number === 7 || each.number === 8) changesQuery = true;
      }
    }
  }
  return { code, message: text, denied, ok, changesQuery, hasMetadata };
}

/** HeaderValueOption. Of its two ways to say whether it appends the older one decides where it is there. */
function headerChange(message: Uint8Array): HeaderChange {
  let [name, value, raw] = ["", "", ""];
  let append: boolean | undefined;
  for (const { number, bytes, value: enumerated } of protobufFields(message)) {
    if (number === 1) {
      for (const each of protobufFields(bytes)) {
        if (each.number === 1) name = textOf(each.bytes).toLowerCase();
        if (each.number === 2) value = textOf(each.bytes);
        if (each.number === 3) raw = textOf(each.bytes);
      }
    } else if (number === 2) {
      append = false;
      for (const each of protobufFields(bytes)) append = each.value === 1;
    } else if (number === 3) append ??= enumerated === 0;
  }
  return { name, value: value || raw, appends: append ?? false };
}
