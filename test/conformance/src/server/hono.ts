import { once } from "node:events";
import type { Server } from "node:http";
import { Readable } from "node:stream";
import { type HttpBindings, serve } from "@hono/node-server";
import { Hono } from "hono";
import type { ServerKind } from "./server-kind.js";

export const hono: ServerKind = {
  name: "Hono 4",
  lacks: { trailers: "a WHATWG Response has no trailers" },
  async listen(behave) {
    const app = new Hono<{ Bindings: HttpBindings }>();
    app.all("*", async (context) => {
      const { incoming: request, outgoing: response } = context.env;
      const read = (context.req.raw.body ?? []) as AsyncIterable<Uint8Array>;
      const { status, headers, body } = await behave({ request, response, body: read });
      const sent = body instanceof Readable ? Readable.toWeb(body) : (body ?? null);
      return new Response(sent as ConstructorParameters<typeof Response>[0], { status, headers });
    });
    const server = serve({ fetch: app.fetch, port: 0, hostname: "127.0.0.1" }) as Server;
    if (!server.listening) await once(server, "listening");
    return server;
  },
};
