export { GrpcClient, type GrpcClientOptions } from "./client/client.js";
export type { MeshGrpc } from "./mesh-grpc.js";
export { attachGrpcServer, createGrpcServer } from "./server/attach-grpc-server.js";
export { GrpcAuthorizer } from "./service/grpc-authorizer.js";
export { GrpcRateLimitService, type GrpcRateLimitServiceOptions } from "./service/grpc-rate-limit-service.js";
export { ServiceClients } from "./service/service-clients.js";
