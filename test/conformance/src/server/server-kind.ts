/** One way to serve, brought to one shape: an adapter hands each request to `Behaviour` and sends what it is told. */

import type { IncomingMessage, Server, ServerResponse } from "node:http";
import type { Readable } from "node:stream";
import type { Feature } from "../client/client.js";

export interface Question {
  /** Node's own objects, to look at: what is sent goes through the framework. */
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  readonly body: AsyncIterable<Uint8Array>;
}

export interface Reply {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body?: string | Buffer | Readable;
  readonly trailers?: Readonly<Record<string, string>>;
}

export type Behaviour = (question: Question) => Promise<Reply>;

export interface ServerKind {
  readonly name: string;
  readonly lacks: Readonly<Partial<Record<Feature, string>>>;
  /** Listens on a port of its own on loopback. */
  listen(behave: Behaviour): Promise<Server>;
}

/** Services are named by it. */
export type ServerName = "http" | "express4" | "express5" | "fastify" | "koa" | "hono" | "nest";
