/** What a mesh offers to users of @grpc/grpc-js, which is loaded with the first use of any of it. */

import type { ChannelCredentials, ClientOptions, Server, ServerOptions } from "./grpc-js.js";

export interface MeshGrpc {
  /** Second argument of a client. Whether TLS is spoken is up to policy; a client with TLS credentials keeps its own TLS. */
  credentials(): ChannelCredentials;
  /** Third argument of a client: `new ReviewsClient("reviews:50051", mesh.grpc.credentials(), mesh.grpc.options())`. */
  options(): ClientOptions;
  /** `attach(new Server(options))`, with the Server of the same copy of grpc-js as the credentials above. */
  server(options?: ServerOptions): Server;
  /**
   * For one's own Server, before it binds: its ports are advertised, its calls judged and counted as HTTP requests are.
   * Bind with insecure credentials, and the mesh speaks mTLS there; with TLS of the application's own, that stays.
   * @returns the server
   * @throws {MeshError} CONFIG_INVALID when it is no Server of @grpc/grpc-js 1.14
   */
  attach<GrpcServer extends object>(server: GrpcServer): GrpcServer;
}
