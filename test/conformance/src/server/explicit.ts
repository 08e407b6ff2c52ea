/** The explicit API's ways to bring a server into a mesh, one kind each. */

import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import type { Mesh } from "@inmesh/node";
import express from "express";
import fastify from "fastify";
import { expressHandler } from "./express.js";
import { fastifyRoutes } from "./fastify.js";
import { listener } from "./node-http.js";
import type { ServerKind } from "./server-kind.js";

/** The port is known with the first request, so there is one before others listen. */
export const handler: ServerKind = {
  name: "mesh.handler()",
  lacks: {},
  async listen(behave, mesh) {
    const server = createServer(given(mesh).handler(listener(behave)));
    await once(server.listen(0, "127.0.0.1"), "listening");
    await (await fetch(`http://127.0.0.1:${(server.address() as AddressInfo).port}/status?code=200`)).text();
    return server;
  },
};

export const attach: ServerKind = {
  name: "mesh.attach()",
  lacks: {},
  async listen(behave, mesh) {
    const server = given(mesh).attach(createServer(listener(behave)));
    await once(server.listen(0, "127.0.0.1"), "listening");
    return server;
  },
};

/** As its guide says: the middleware first, and the server handed over. */
export const expressPlugin: ServerKind = {
  name: "mesh.express()",
  lacks: {},
  async listen(behave, mesh) {
    const app = express();
    app.disable("etag");
    app.use(given(mesh).express());
    app.use(expressHandler(behave));
    const server = given(mesh).attach(app.listen(0, "127.0.0.1"));
    await once(server, "listening");
    return server;
  },
};

export const fastifyPlugin: ServerKind = {
  name: "mesh.fastify()",
  lacks: {},
  async listen(behave, mesh) {
    const app = fastify({ forceCloseConnections: true });
    app.register(given(mesh).fastify());
    app.register(async (routes) => fastifyRoutes(routes, behave));
    await app.listen({ port: 0, host: "127.0.0.1" });
    return app.server;
  },
};

function given(mesh: Mesh | undefined): Mesh {
  if (mesh === undefined) throw new Error("an explicit kind of server needs a mesh");
  return mesh;
}
