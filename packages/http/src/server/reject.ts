/** Answers of the mesh in place of an application's, on each kind of connection; and what it adds to an application's. */

import { type ServerResponse, STATUS_CODES } from "node:http";
import type { OutgoingHttpHeaders, ServerHttp2Stream } from "node:http2";
import type { Socket } from "node:net";
import type { Writable } from "node:stream";
import type { Rejection } from "@inmesh/core";
import { grpcMessageText } from "@inmesh/core/internal";
import type { RequestHead } from "./request-head.js";

/** What an answer is made of. */
export type LocalAnswer = Omit<Rejection, "code">;

/** An answer of the mesh that goes on until somebody ends it. */
export interface LiveAnswer extends Pick<Rejection, "status" | "headers"> {
  /** Called once, when the head is on its way. @param to ends when the connection is gone, and when the process leaves the mesh */
  readonly run: (to: Writable) => void;
}

const GRPC = "application/grpc";
const RETRY_AFTER = "retry-after";
const PUSHBACK = "grpc-retry-pushback-ms";
const MS_PER_S = 1_000;

/** @returns true: the request is dealt with */
export function rejectRequest(response: ServerResponse, rejection: LocalAnswer): true {
  response.writeHead(rejection.status, linesOf(rejection));
  response.end(rejection.body); // nothing of it after HEAD: Node sees to that
  return true;
}

export function rejectStream(stream: ServerHttp2Stream, { headers }: RequestHead, rejection: LocalAnswer): true {
  stream.on("error", () => {}); // the caller may be gone
  const type = headers["content-type"];
  if (typeof type === "string" && type.startsWith(GRPC)) {
    stream.respond(grpcAnswer(rejection, type), { endStream: true });
  } else {
    stream.respond({ ":status": rejection.status, ...pairsOf(linesOf(rejection)) });
    stream.end(headers[":method"] === "HEAD" ? undefined : rejection.body);
  }
  // What is still sent of the request is nobody's. A reset would spare it, and from Node 22 on may overtake the answer.
  stream.resume();
  return true;
}

/** @returns where it is written; its end is the request's */
export function openLive(response: ServerResponse, { status, headers, run }: LiveAnswer): Writable {
  response.writeHead(status, [...headers]);
  response.flushHeaders();
  run(response);
  return response;
}

export function openLiveStream(stream: ServerHttp2Stream, { status, headers, run }: LiveAnswer): Writable {
  stream.on("error", () => {}); // the caller may be gone
  stream.respond({ ":status": status, ...pairsOf(headers) });
  stream.resume();
  run(stream);
  return stream;
}

export function answerUpgrade(socket: Socket, rejection: LocalAnswer): true {
  const lines = [`HTTP/1.1 ${rejection.status} ${STATUS_CODES[rejection.status] ?? ""}`];
  const flat = [...linesOf(rejection), "connection", "close"];
  for (let index = 0; index < flat.length; index += 2) lines.push(`${flat[index]}: ${flat[index + 1]}`);
  socket.on("error", () => {});
  socket.end(Buffer.concat([Buffer.from(`${lines.join("\r\n")}\r\n\r\n`, "latin1"), Buffer.from(rejection.body)]));
  return true;
}

/** Whichever of Node's interfaces the application answers by; headers of its own of the same names stay. */
export function addToStream(stream: ServerHttp2Stream, flat: readonly string[]): void {
  const added = pairsOf(flat);
  for (const name of ["respond", "respondWithFD", "respondWithFile"] as const) {
    const original = stream[name] as (...args: unknown[]) => void;
    const at = name === "respond" ? 0 : 1;
    const respond = function (this: ServerHttp2Stream, ...args: unknown[]): void {
      args[at] = withMissing(args[at] as OutgoingHttpHeaders | undefined, added);
      original.apply(this, args);
    };
    Object.defineProperty(stream, name, { value: respond, configurable: true, writable: true });
  }
}

function withMissing(given: OutgoingHttpHeaders | undefined, added: OutgoingHttpHeaders): unknown {
  const own = new Set(Object.keys(given ?? {}).map((name) => name.toLowerCase()));
  const missing = Object.entries(added).filter(([name]) => !own.has(name));
  return Object.assign(Object.create(null), given, Object.fromEntries(missing));
}

function linesOf({ headers, body }: LocalAnswer): string[] {
  const length = String(Buffer.byteLength(body));
  const typed = body.length === 0 || headers.some((name, index) => index % 2 === 0 && name === "content-type");
  return [...headers, ...(typed ? [] : ["content-type", "text/plain"]), "content-length", length];
}

/** In lower case and without what HTTP/1.1 says of connections, as HTTP/2 wants them. Lines of one name, such as cookies, are a list. */
function pairsOf(flat: readonly string[]): Record<string, string | string[]> {
  const pairs: Record<string, string | string[]> = {};
  for (let index = 0; index < flat.length; index += 2) {
    const [name, value] = [flat[index]!.toLowerCase(), flat[index + 1]!]; // flat pairs
    if (name === "connection") continue; // RFC 9113 §8.2.2; Node refuses the whole answer
    const before = pairs[name];
    pairs[name] = before === undefined ? value : [before, value].flat();
  }
  return pairs;
}

/** A head and no more, which gRPC calls trailers only: its callers look at `grpc-status` and not at the status of HTTP. */
function grpcAnswer({ headers, grpcStatus, body }: LocalAnswer, type: string): OutgoingHttpHeaders {
  const text = Buffer.from(body).toString();
  const pairs = pairsOf(headers);
  const after = Number(pairs[RETRY_AFTER] ?? Number.NaN);
  return {
    ...pairs,
    // The same in gRPC's words (gRFC A6): its clients do not read the other.
    ...(Number.isInteger(after) && { [PUSHBACK]: String(after * MS_PER_S) }),
    ":status": 200,
    "content-type": type,
    "grpc-status": String(grpcStatus),
    "grpc-message": grpcMessageText(text.slice(text.indexOf("\n") + 1)),
  };
}
