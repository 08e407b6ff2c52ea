/**
 * The seam to servers: `emit` and `close` of http.Server, https.Server and the two of node:http2. It covers servers made
 * before the patch, every framework, and ESM as well as CommonJS, because all of them inherit it (experience.md §1.2).
 */

import { Server as HttpServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { Http2SecureServer, Http2Server, Http2Session, ServerHttp2Stream } from "node:http2";
import { Server as HttpsServer } from "node:https";
import { Server as NetServer } from "node:net";
import { isHttp2Server, watchHttp2Classes } from "./http2-class.js";
import { type Below, captured, inherited, override, type Patchable } from "./override.js";
import { isRequestHead, type RequestHead } from "./request-head.js";

export type AnyServer = HttpServer | HttpsServer | Http2Server | Http2SecureServer;

/** What the mesh wants to know of a server, and where it steps in. */
export interface ServerHooks {
  /** It accepts connections from now on. */
  listening(server: AnyServer): void;
  /** It has stopped accepting; connections may still be open. Called again when they are closed. */
  closed(server: AnyServer): void;
  /**
   * It accepted a connection, or the application gave it one. `handOver` gives one to the application's listeners: this one,
   * at once or later, or another that was made of it.
   */
  connection(server: AnyServer, socket: unknown, handOver: (socket: unknown) => boolean): boolean;
  /** Its connections are closed, whatever runs on them. */
  cut(server: AnyServer): void;
  /** Runs `work`, which hands the request to the application. */
  request(request: IncomingMessage, response: ServerResponse, server: AnyServer, work: () => boolean): boolean;
  /** @param received bytes that came behind the head */
  upgrade(request: IncomingMessage, work: () => boolean, received: number): boolean;
  /** A connection of an HTTP/2 server. */
  session(session: Http2Session, server: AnyServer): void;
  /** A request on it. Runs `work`, which hands it to the application. */
  stream(stream: ServerHttp2Stream, head: RequestHead, server: AnyServer, work: () => boolean): boolean;
  /** The mesh closed this server itself: closing it again is no error to report to the application. */
  closedByMesh(server: AnyServer): boolean;
  /** As `connection`, to a `net.Server` or `tls.Server` whose protocol is the application's own. */
  tcpConnection(server: NetServer, socket: unknown, handOver: (socket: unknown) => boolean): boolean;
}

/** Set on servers that belong to the mesh itself, such as the admin endpoint. Holds for every copy of this package. */
const UNMESHED: unique symbol = Symbol.for("inmesh.server.unmeshed");

/** Keeps a server out of every mesh of the process: not in context, not counted, not advertised, not drained. */
export function exemptServer<Server extends NetServer>(server: Server): Server {
  Object.defineProperty(server, UNMESHED, { value: true });
  return server;
}

/** Every server of the process, present and future. @returns undoes it */
export function patchServers(hooks: ServerHooks): () => void {
  const below = HttpServer.prototype.emit;
  emitBelow = () => below;
  const undos = [HttpServer.prototype, HttpsServer.prototype].map((prototype) => patch(prototype, hooks, captured));
  undos.push(patchTcp(NetServer.prototype, hooks, captured)); // below the next, which it would hide HTTP/2 from
  // After the others, whose events it need not see.
  undos.push(
    watchHttp2Classes((prototype) => {
      undos.push(patch(prototype, hooks, inherited));
    }),
  );
  return () => {
    emitBelow = undefined;
    for (const undo of undos.reverse()) undo();
  };
}

/** One server. @returns undoes it */
export function patchServer(server: AnyServer | NetServer, hooks: ServerHooks): () => void {
  if (!speaksHttp(server)) return patchTcp(server, hooks, inherited);
  const undo = patch(server, hooks, inherited);
  if (server.listening) hooks.listening(server);
  return undo;
}

function speaksHttp(server: NetServer): server is AnyServer {
  return server instanceof HttpServer || server instanceof HttpsServer || isHttp2Server(server);
}

/** What runs below the mesh's own `emit` of all servers; undefined: none is patched. */
let emitBelow: (() => unknown) | undefined;

/**
 * Somebody else's instrumentation steps in between the mesh and the application: it was loaded before the mesh, or the mesh
 * sits on a server of its own. They mark what they wrap, as shimmer does.
 */
export function isInstrumentedBelow(): boolean {
  const below = emitBelow === undefined ? HttpServer.prototype.emit : emitBelow();
  return (below as { readonly __wrapped?: boolean }).__wrapped === true;
}

/** @param server one, or the prototype of many */
function patch(server: object, hooks: ServerHooks, below: Below): () => void {
  const target = server as Patchable<AnyServer>;
  let active = true;
  const originalEmit = below(target, "emit");
  const originalClose = below(target, "close");

  const emit: Patchable<AnyServer>["emit"] = function (event, ...args) {
    if (!active || UNMESHED in this) return originalEmit().call(this, event, ...args);
    switch (event) {
      case "request":
      case "checkContinue":
      case "checkExpectation": {
        const [request, response] = args as [IncomingMessage, ServerResponse];
        if (request?.httpVersionMajor === 2) break; // in the middle of its "stream"
        if (!isRequestHead(request)) break; // emitted by the application, and no request
        return hooks.request(request, response, this, () => originalEmit().call(this, event, ...args));
      }
      case "upgrade":
      case "connect":
        if (!isRequestHead(args[0])) break;
        return hooks.upgrade(
          args[0] as IncomingMessage,
          () => originalEmit().call(this, event, ...args),
          args[2] instanceof Uint8Array ? args[2].length : 0,
        );
      case "stream": {
        const [stream, headers, , rawHeaders] = args as [ServerHttp2Stream, RequestHead["headers"], number, string[]];
        if (!isRequestHead({ headers, rawHeaders })) break;
        return hooks.stream(stream, { headers, rawHeaders }, this, () => originalEmit().call(this, event, ...args));
      }
      case "connection":
        return hooks.connection(this, args[0], (socket) => originalEmit().call(this, event, socket));
      case "session":
        hooks.session(args[0] as Http2Session, this);
        break;
      case "listening":
        hooks.listening(this);
        break;
      case "close":
        hooks.closed(this);
    }
    return originalEmit().call(this, event, ...args);
  };

  const close: Patchable<AnyServer>["close"] = function (callback) {
    if (!active || UNMESHED in this) return originalClose().call(this, callback);
    if (hooks.closedByMesh(this)) return afterClose(this, callback);
    const result = originalClose().call(this, callback);
    hooks.closed(this);
    return result;
  };

  const restore = [override(target, "emit", emit), override(target, "close", close)];
  if (target.closeAllConnections !== undefined) {
    const originalCut = below(target, "closeAllConnections");
    const cut: Patchable<AnyServer>["closeAllConnections"] = function () {
      originalCut().call(this);
      if (active && !(UNMESHED in this)) hooks.cut(this);
    };
    restore.push(override(target, "closeAllConnections", cut));
  }
  return () => {
    active = false;
    for (const each of restore) each();
  };
}

/** Servers of no protocol that the mesh knows. Their connections are looked at, and nothing that runs on them. */
function patchTcp(server: object, hooks: ServerHooks, below: Below): () => void {
  const target = server as Patchable<NetServer>;
  const originalEmit = below(target, "emit");
  let active = true;
  const emit: Patchable<NetServer>["emit"] = function (event, ...args) {
    // Pipes are between processes of one machine: no policy means them, and a sidecar would not see them.
    if (!active || event !== "connection" || UNMESHED in this || speaksHttp(this) || typeof this.address() === "string")
      return originalEmit().call(this, event, ...args);
    return hooks.tcpConnection(this, args[0], (socket) => originalEmit().call(this, event, socket));
  };
  const restore = override(target, "emit", emit);
  return () => {
    active = false;
    restore();
  };
}

/** `close` again on a server that is closing already, without Node's ERR_SERVER_NOT_RUNNING. */
function afterClose(server: AnyServer, callback: ((error?: Error) => void) | undefined): AnyServer {
  if (callback === undefined) return server;
  server.getConnections((_, open) => {
    if (open === 0) callback();
    else server.once("close", () => callback());
  });
  return server;
}
