import { once } from "node:events";
import { createServer } from "node:http";
import { pipeline, Readable } from "node:stream";
import express, { type RequestHandler } from "express";
// @ts-expect-error the types are those of Express 5, and are not asked for more than both have
import express4 from "express4";
import type { Behaviour, ServerKind } from "./server-kind.js";

type Express = () => { use(handler: RequestHandler): unknown; disable(setting: string): unknown };

function kind(name: string, make: Express): ServerKind {
  return {
    name,
    lacks: {},
    async listen(behave) {
      const app = make();
      app.disable("etag");
      app.use(expressHandler(behave));
      const server = createServer(app as never);
      await once(server.listen(0, "127.0.0.1"), "listening");
      return server;
    },
  };
}

export function expressHandler(behave: Behaviour): RequestHandler {
  return (request, response, next) => {
    behave({ request, response, body: request })
      .then(({ status, headers, body, trailers }) => {
        response.status(status).set(headers);
        if (trailers !== undefined) response.addTrailers(trailers);
        if (body instanceof Readable) pipeline(body, response, () => {});
        else if (body === undefined) response.end();
        else response.send(body);
      })
      .catch(next);
  };
}

export const expressFive: ServerKind = kind("Express 5", express as unknown as Express);
export const expressFour: ServerKind = kind("Express 4", express4 as unknown as Express);
