export { GrpcClient, type GrpcClientOptions } from "./client/client.js";
export type { MeshGrpc } from "./mesh-grpc.js";
export { attachGrpcServer, createGrpcServer } from "./server/attach-grpc-server.js";
