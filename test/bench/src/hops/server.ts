/** The server's process: one handler behind a bare node:http server, and behind two that a mesh serves: in plaintext, and as by default. */

import { once } from "node:events";
import { createServer, type RequestListener, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { createMesh } from "@inmesh/node";
import { BODY } from "../lib/upstream.js";

export interface HopsServer {
  readonly pid: number;
  /** Port of the bare server. The others are found by their name, `reviews`, each in a mesh of its own. */
  readonly port: number;
}

const [plain = "", secured = ""] = process.argv.slice(2);

const app: RequestListener = (request, response) => {
  request.resume();
  response.writeHead(200, { "content-type": "application/json", "content-length": Buffer.byteLength(BODY) });
  response.end(BODY);
};

const bare = await listening(createServer(app));
for (const options of [{ config: plain, identity: "off" }, { config: secured }] as const) {
  const mesh = await createMesh({ service: "reviews", ...options });
  await listening(mesh.attach(createServer(app)));
}
const { port } = bare.address() as AddressInfo;
process.send?.({ pid: process.pid, port } satisfies HopsServer);
process.on("disconnect", () => process.exit());

async function listening(server: Server): Promise<Server> {
  server.keepAliveTimeout = 60_000;
  await once(server.listen(0, "127.0.0.1"), "listening");
  return server;
}
