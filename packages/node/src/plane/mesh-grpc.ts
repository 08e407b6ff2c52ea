/** gRPC of a mesh, for the application: what calls and what serves. grpc-js is not loaded before one of these is called. */

import { attachGrpcServer, createGrpcServer, type MeshGrpc } from "@inmesh/grpc";
import type { AnyServer } from "@inmesh/http/server";
import type { DataPlane } from "./data-plane.js";
import { grpcClient } from "./grpc-client.js";

/** @param attach gives a server of node:http2 to the mesh; undefined: the mesh is off, and touches none */
export function meshGrpc(plane: DataPlane, attach: ((server: AnyServer) => unknown) | undefined): MeshGrpc {
  const inMesh = <Given extends object>(server: Given): Given =>
    attach === undefined ? server : attachGrpcServer(server, attach);
  return {
    credentials: () => grpcClient(plane).credentials(),
    options: () => grpcClient(plane).options(),
    server: (options) => inMesh(createGrpcServer(options)),
    attach: inMesh,
  };
}
