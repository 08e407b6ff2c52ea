/**
 * A request after which its connection leaves HTTP: an upgrade, as of a WebSocket, or CONNECT. It is one request to whoever counts and
 * logs, and over when the connection is, as for Envoy; its span ends with the answer, so that it can be seen while the connection lives.
 */

import type { IncomingMessage } from "node:http";
import type { ServerHttp2Stream } from "node:http2";
import type { Socket } from "node:net";
import type { InboundContext } from "@inmesh/core";
import type { Answer } from "../inbound-request.js";
import { override } from "../override.js";
import { watchHead, watchStreamHeads } from "./head-watch.js";
import type { Refusal } from "./refusal-details.js";
import { RequestFacts } from "./request-facts.js";

/** Who hears of it. */
export interface LeavingHooks {
  readonly now: () => number;
  /** The head of its answer was written. */
  answered(leaving: Leaving): void;
  ended(leaving: Leaving, by: EndedBy): void;
}

/** Who ended it; undefined: both, as streams of HTTP/2 end. */
export type EndedBy = "caller" | "application" | undefined;

/** It has a record. */
export class Leaving {
  readonly context: InboundContext;
  readonly facts: RequestFacts;
  readonly answer: Answer;

  constructor(context: InboundContext, facts: RequestFacts, answer: Answer) {
    this.context = context;
    this.facts = facts;
    this.answer = answer;
  }

  refused(refusal: Refusal): void {
    this.facts.refusal = refusal;
  }
}

/** @param received bytes of what follows that came with the head */
export function leavesBySocket(
  context: InboundContext,
  request: IncomingMessage,
  snapshot: number,
  received: number,
  hooks: LeavingHooks,
): Leaving {
  const { socket } = request;
  const facts = new TunnelFacts(request, hooks.now(), snapshot, received);
  const answer = new TunnelAnswer();
  const leaving = new Leaving(context, facts, answer);
  watchAnswer(socket, (status, headBytes) => {
    answer.statusCode = status;
    facts.headBytes = headBytes;
    facts.headAt = hooks.now();
    hooks.answered(leaving);
  });
  let callerFirst = false;
  socket.once("end", () => {
    callerFirst = !socket.writableEnded;
  });
  socket.once("close", () => {
    answer.closed = true;
    hooks.ended(leaving, callerFirst || socket.errored !== null ? "caller" : "application");
  });
  return leaving;
}

export function leavesByStream(
  context: InboundContext,
  stream: ServerHttp2Stream,
  facts: RequestFacts,
  answer: Answer,
  hooks: LeavingHooks,
): Leaving {
  const leaving = new Leaving(context, facts, answer);
  watchStreamHeads(stream);
  watchHead(stream, () => {
    if (facts.headAt !== 0) return;
    facts.headAt = hooks.now();
    queueMicrotask(() => hooks.answered(leaving)); // its status is known when it was written
  });
  stream.once("close", () => hooks.ended(leaving, answer.writableEnded ? undefined : "caller"));
  return leaving;
}

class TunnelAnswer implements Answer {
  shouldKeepAlive = false;
  readonly writableEnded = true;
  statusCode = 0;
  closed = false;
}

class TunnelFacts extends RequestFacts {
  /** Of the answer. */
  headBytes = 0;
  readonly #readBefore: number;
  readonly #writtenBefore: number;
  readonly #connection: Socket;

  constructor(request: IncomingMessage, now: number, snapshot: number, received: number) {
    super(request, request, request.socket, now, snapshot);
    this.#connection = request.socket;
    this.#readBefore = request.socket.bytesRead - received;
    this.#writtenBefore = request.socket.bytesWritten;
  }

  override requestBytes(): number {
    return Math.max(0, this.#connection.bytesRead - this.#readBefore);
  }

  override responseBytes(): number {
    return Math.max(0, this.#connection.bytesWritten - this.#writtenBefore - this.headBytes);
  }
}

const HEAD = /^HTTP\/1\.[01] (\d{3})[\s\S]*?\r\n\r\n/;
/** What is longer is no head. */
const MOST_HEAD = 16_384;

/** Reads the head that the application writes on the bare connection. Methods of its own are gone again with the head's last byte. */
function watchAnswer(socket: Socket, answered: (status: number, headBytes: number) => void): void {
  let text = "";
  const see = (chunk: unknown): void => {
    if (typeof chunk !== "string" && !(chunk instanceof Uint8Array)) return;
    text +=
      typeof chunk === "string" ? chunk : Buffer.from(chunk.buffer, chunk.byteOffset, chunk.length).toString("latin1");
    const found = HEAD.exec(text);
    if (found === null && text.length < MOST_HEAD && "HTTP/1.".startsWith(text.slice(0, 7))) return;
    for (const restore of restores) restore();
    if (found !== null) answered(Number(found[1]), found[0].length);
  };
  const restores = (["write", "end"] as const).map((name) => {
    const original = socket[name] as (...args: unknown[]) => unknown;
    const seen = function (this: Socket, ...args: unknown[]): unknown {
      see(args[0]);
      return Reflect.apply(original, this, args);
    };
    return override(socket, name, seen as Socket[typeof name]);
  });
}
