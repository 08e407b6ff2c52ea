/** What a mesh offers to users of @grpc/grpc-js, which is loaded with the first use of any of it. */

import type { ChannelCredentials, ClientOptions } from "@grpc/grpc-js";

export interface MeshGrpc {
  /** Second argument of a client. Whether TLS is spoken is up to policy; a client with TLS credentials keeps its own TLS. */
  credentials(): ChannelCredentials;
  /** Third argument of a client: `new ReviewsClient("reviews:50051", mesh.grpc.credentials(), mesh.grpc.options())`. */
  options(): ClientOptions;
}
