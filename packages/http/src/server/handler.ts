/** Servers of a mesh that patches nothing: the application hands its handler or its server over. */

import type { IncomingMessage, ServerResponse } from "node:http";
import type { Http2ServerRequest, Http2ServerResponse } from "node:http2";
import type { Server as NetServer } from "node:net";
import { type Inbound, serverOf } from "./inbound.js";
import { type AnyServer, patchServer, type ServerHooks } from "./patch-servers.js";
import { isRequestHead } from "./request-head.js";

export type Handler<Request = IncomingMessage, Response = ServerResponse> = (
  request: Request,
  response: Response,
) => unknown;

export type Http2Listener = (request: Http2ServerRequest, response: Http2ServerResponse) => void;

/** Runs the rest of a request, `next`, in the mesh, unless it is there already. @returns what it returns */
export type Enter = (request: object, response: object, next: () => unknown) => unknown;

/**
 * Wraps a request listener: an Express or Connect application, or a function, also one of node:http2. The server it is
 * given to becomes known with its first request; `attachServer` makes it known as soon as it listens. `this` and what is
 * returned are the application's: servers with `captureRejections` look at promises of their listeners.
 */
export function meshHandler<Request extends object, Response extends object>(
  app: Handler<Request, Response>,
  enter: Enter,
): (request: Request, response: Response) => unknown {
  return function (this: unknown, request, response) {
    return enter(request, response, () => app.call(this, request, response));
  };
}

/** For middleware, which gets requests of servers that nobody handed over. */
export function enterer(inbound: Inbound, hooks: ServerHooks): Enter {
  const known = new WeakSet<object>();
  return (request, response, next) => {
    if (isHttp2(request)) {
      const { stream } = request;
      if (inbound.serves(stream)) return next();
      // Typed as never missing, but a session that ended has none.
      const server = (stream.session?.socket as unknown as { server?: AnyServer } | undefined)?.server;
      learn(server);
      if (server !== undefined && stream.session !== undefined) hooks.session(stream.session, server);
      return inbound.stream(stream, request, next);
    } else {
      const message = request as IncomingMessage;
      if (!isRequestHead(message)) return next(); // made by the application, and not enough of one
      if (inbound.serves(message)) return next();
      learn(serverOf(message));
      meetOnce((message as { readonly app?: object }).app);
      return inbound.request(message, response as ServerResponse, next);
    }
  };

  /** Express names the application on each request. */
  function meetOnce(application: object | undefined): void {
    if (application === undefined || known.has(application)) return;
    known.add(application);
    inbound.meet(application);
  }

  function learn(server: AnyServer | undefined): void {
    if (server === undefined || known.has(server)) return;
    known.add(server);
    patchServer(server, hooks);
  }
}

/**
 * @returns the server, with its requests in the mesh and its port advertised once it listens; of one that speaks no HTTP, connections
 *   are judged, and nothing else
 */
export function attachServer<Server extends AnyServer | NetServer>(server: Server, hooks: ServerHooks): Server {
  patchServer(server, hooks);
  return server;
}

function isHttp2(request: object): request is Http2ServerRequest {
  return (request as { readonly httpVersionMajor?: number }).httpVersionMajor === 2;
}
