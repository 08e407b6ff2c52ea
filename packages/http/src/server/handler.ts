/** Servers of a mesh that patches nothing: the application hands its handler or its server over. */

import type { IncomingMessage, RequestListener, ServerResponse } from "node:http";
import type { Inbound } from "./inbound.js";
import { type AnyServer, patchServer, type ServerHooks } from "./patch-servers.js";

type Handler = (request: IncomingMessage, response: ServerResponse) => unknown;

/**
 * Wraps a request listener: an Express or Connect application, or a function. The server it is given to becomes known
 * with its first request; `attachServer` makes it known as soon as it listens.
 */
export function meshHandler(app: Handler, inbound: Inbound, hooks: ServerHooks): RequestListener {
  const known = new WeakSet<AnyServer>();
  return (request, response) => {
    const { server } = request.socket as unknown as { server?: AnyServer };
    if (server !== undefined && !known.has(server)) {
      known.add(server);
      patchServer(server, hooks);
    }
    inbound.request(request, response, () => app(request, response));
  };
}

/** @returns the server, with its requests in the mesh and its port advertised once it listens */
export function attachServer<Server extends AnyServer>(server: Server, hooks: ServerHooks): Server {
  patchServer(server, hooks);
  return server;
}
