/** External authorizers that are asked over gRPC: what asks them is loaded with the first request that one of them judges. */

import type { AuthorizerTransport } from "@inmesh/core";
import type { DataPlane } from "./data-plane.js";

export class LazyAuthorizer implements AuthorizerTransport {
  readonly #plane: DataPlane;
  #loading: Promise<AuthorizerTransport> | undefined;

  constructor(plane: DataPlane) {
    this.#plane = plane;
  }

  async ask(...asked: Parameters<AuthorizerTransport["ask"]>): ReturnType<AuthorizerTransport["ask"]> {
    this.#loading ??= this.#load();
    return (await this.#loading).ask(...asked);
  }

  async #load(): Promise<AuthorizerTransport> {
    const [{ GrpcAuthorizer, ServiceClients }, { grpcClient }] = await Promise.all([
      import("@inmesh/grpc"),
      import("./grpc-client.js"),
    ]);
    return new GrpcAuthorizer(new ServiceClients(() => grpcClient(this.#plane), this.#plane.clock));
  }
}
