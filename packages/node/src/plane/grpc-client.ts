/** The gRPC client of a process, made when something asks for it. Loads none of @grpc/grpc-js. */

import { GrpcClient } from "@inmesh/grpc";
import type { DataPlane } from "./data-plane.js";

export function grpcClient(plane: DataPlane): GrpcClient {
  const { engine, transport } = plane;
  plane.grpc ??= new GrpcClient({ engine, dials: transport.dials });
  return plane.grpc;
}
