/** The server's process: one handler behind a bare node:http server and behind one that a mesh serves. */

import { once } from "node:events";
import { createServer, type RequestListener, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { createMesh } from "@inmesh/node";
import { BODY } from "../lib/upstream.js";

export interface HopsServer {
  readonly pid: number;
  /** Port of the bare server. The other one is found by its name, `reviews`. */
  readonly port: number;
}

const [config = ""] = process.argv.slice(2);

const app: RequestListener = (request, response) => {
  request.resume();
  response.writeHead(200, { "content-type": "application/json", "content-length": Buffer.byteLength(BODY) });
  response.end(BODY);
};

const mesh = await createMesh({ service: "reviews", config });
const bare = await listening(createServer(app));
await listening(mesh.attach(createServer(app)));
const { port } = bare.address() as AddressInfo;
process.send?.({ pid: process.pid, port } satisfies HopsServer);
process.on("disconnect", () => process.exit());

async function listening(server: Server): Promise<Server> {
  server.keepAliveTimeout = 60_000;
  await once(server.listen(0, "127.0.0.1"), "listening");
  return server;
}
