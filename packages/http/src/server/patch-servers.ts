/**
 * The seam to servers: `emit` of http.Server and https.Server. It covers servers made before the patch, every
 * framework, and ESM as well as CommonJS, because all of them inherit it (experience.md §1.2).
 */

import { Server as HttpServer, type IncomingMessage, type ServerResponse } from "node:http";
import { Server as HttpsServer } from "node:https";

export type AnyServer = HttpServer | HttpsServer;

/** What the mesh wants to know of a server, and where it steps in. */
export interface ServerHooks {
  /** It accepts connections from now on. */
  listening(server: AnyServer): void;
  /** It has stopped accepting; connections may still be open. Called again when they are closed. */
  closed(server: AnyServer): void;
  /** Runs `work`, which hands the request to the application. */
  request(request: IncomingMessage, response: ServerResponse, server: AnyServer, work: () => boolean): boolean;
  upgrade(request: IncomingMessage, work: () => boolean): boolean;
  /** The mesh closed this server itself: closing it again is no error to report to the application. */
  closedByMesh(server: AnyServer): boolean;
}

type Emit = (this: AnyServer, event: string | symbol, ...args: unknown[]) => boolean;
type Close = (this: AnyServer, callback?: (error?: Error) => void) => AnyServer;
interface Patchable {
  emit: Emit;
  close: Close;
}

/** Set on servers that belong to the mesh itself, such as the admin endpoint. Holds for every copy of this package. */
const UNMESHED: unique symbol = Symbol.for("inmesh.server.unmeshed");

/** Keeps a server out of every mesh of the process: not in context, not counted, not advertised, not drained. */
export function exemptServer<Server extends AnyServer>(server: Server): Server {
  Object.defineProperty(server, UNMESHED, { value: true });
  return server;
}

/** Every server of the process, present and future. @returns undoes it */
export function patchServers(hooks: ServerHooks): () => void {
  const undos = [HttpServer.prototype, HttpsServer.prototype].map((prototype) =>
    patch(prototype as unknown as Patchable, hooks),
  );
  return () => {
    for (const undo of undos) undo();
  };
}

/** One server. @returns undoes it */
export function patchServer(server: AnyServer, hooks: ServerHooks): () => void {
  const undo = patch(server as unknown as Patchable, hooks);
  if (server.listening) hooks.listening(server);
  return undo;
}

function patch(target: Patchable, hooks: ServerHooks): () => void {
  let active = true;
  const { emit: originalEmit, close: originalClose } = target;

  const emit: Emit = function (event, ...args) {
    if (!active || UNMESHED in this) return originalEmit.call(this, event, ...args);
    switch (event) {
      case "request":
      case "checkContinue":
      case "checkExpectation": {
        const [request, response] = args as [IncomingMessage, ServerResponse];
        return hooks.request(request, response, this, () => originalEmit.call(this, event, ...args));
      }
      case "upgrade":
        return hooks.upgrade(args[0] as IncomingMessage, () => originalEmit.call(this, event, ...args));
      case "listening":
        hooks.listening(this);
        break;
      case "close":
        hooks.closed(this);
    }
    return originalEmit.call(this, event, ...args);
  };

  const close: Close = function (callback) {
    if (!active || UNMESHED in this) return originalClose.call(this, callback);
    if (hooks.closedByMesh(this)) return afterClose(this, callback);
    const result = originalClose.call(this, callback);
    hooks.closed(this);
    return result;
  };

  const restore = [override(target, "emit", emit), override(target, "close", close)];
  return () => {
    active = false;
    for (const each of restore) each();
  };
}

/** @returns puts back what was there, unless somebody has patched over it since: then ours stays, inactive */
function override<Name extends keyof Patchable>(target: Patchable, name: Name, value: Patchable[Name]): () => void {
  const before = Object.getOwnPropertyDescriptor(target, name);
  Object.defineProperty(target, name, { value, writable: true, configurable: true, enumerable: false });
  return () => {
    if (target[name] !== value) return;
    if (before === undefined) delete (target as Partial<Patchable>)[name];
    else Object.defineProperty(target, name, before);
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
