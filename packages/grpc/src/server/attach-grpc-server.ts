/**
 * A `Server` of grpc-js in a mesh that patches nothing. grpc-js makes one server of node:http2 for every address it binds and
 * for every injector of connections, all in one method: what that returns is handed to the mesh before it listens. Everything
 * else of the mesh happens there, as for any server.
 */

import type { Http2SecureServer, Http2Server } from "node:http2";
import { MeshError } from "@inmesh/core";
import { ownGrpc } from "../client/grpc-module.js";
import type { Server as GrpcServer, ServerOptions } from "../grpc-js.js";
import { tellMethods } from "./tell-methods.js";

/** As much of grpc-js's `Server` as this needs; private in its types. */
interface MakesHttp2Servers {
  createHttp2Server?(...args: unknown[]): Http2Server | Http2SecureServer;
}

/**
 * @param attach takes a server that does not listen yet
 * @returns `server`
 * @throws {MeshError} CONFIG_INVALID when it is no Server of a grpc-js that makes its servers so
 */
export function attachGrpcServer<Server extends object>(
  server: Server,
  attach: (made: Http2Server | Http2SecureServer) => unknown,
): Server {
  const target = server as MakesHttp2Servers;
  const { createHttp2Server: create } = target;
  if (typeof create !== "function") {
    throw new MeshError(
      "CONFIG_INVALID",
      "this is no Server of @grpc/grpc-js 1.14: it has no method createHttp2Server. " +
        "Give a Server of that version, before it binds; or start the process with --import @inmesh/node/register, which needs none of it",
    );
  }
  const createInMesh: typeof create = function (this: MakesHttp2Servers, ...args) {
    const made = create.apply(this, args);
    tellMethods(made, server);
    attach(made);
    return made;
  };
  Object.defineProperty(server, "createHttp2Server", { value: createInMesh, configurable: true, writable: true });
  return server;
}

/** A new one, not in any mesh yet. */
export function createGrpcServer(options?: ServerOptions): GrpcServer {
  const { Server } = ownGrpc();
  return new Server(options);
}
