import { once } from "node:events";
import { createServer, type RequestListener } from "node:http";
import { pipeline, type Readable } from "node:stream";
import type { Behaviour, ServerKind } from "./server-kind.js";

export const nodeHttp: ServerKind = {
  name: "node:http",
  lacks: {},
  async listen(behave) {
    const server = createServer(listener(behave));
    await once(server.listen(0, "127.0.0.1"), "listening");
    return server;
  },
};

export function listener(behave: Behaviour): RequestListener {
  return async (request, response) => {
    const { status, headers, body, trailers } = await behave({ request, response, body: request });
    response.writeHead(status, headers);
    if (trailers !== undefined) response.addTrailers(trailers);
    if (body === undefined || typeof body === "string" || Buffer.isBuffer(body)) response.end(body);
    else pipeline(body as Readable, response, () => {});
  };
}
