/** One way to serve, brought to one shape: an adapter hands each request to `Behaviour` and sends what it is told. */

import type { IncomingMessage, Server, ServerResponse } from "node:http";
import type { Readable } from "node:stream";
import type { Mesh } from "@inmesh/node";
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
  /** Listens on a port of its own on loopback. @param mesh of an explicit kind, which brings its servers into it */
  listen(behave: Behaviour, mesh?: Mesh): Promise<Server>;
}

/** Services are named by it. */
export type ServerName = ZeroCodeServer | ExplicitServer;
export type ZeroCodeServer = "http" | "express4" | "express5" | "fastify" | "koa" | "hono" | "nest";
export type ExplicitServer = "handler" | "attach" | "express-plugin" | "fastify-plugin";

/** Their processes are started without --import, and make a mesh themselves. */
export const EXPLICIT_SERVERS: ReadonlySet<string> = new Set<ExplicitServer>([
  "handler",
  "attach",
  "express-plugin",
  "fastify-plugin",
]);
