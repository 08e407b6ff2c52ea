/** External authorizers that are asked over gRPC: what asks them is loaded with the first request that one of them judges. */

import type { AuthorizerTransport } from "@inmesh/core";
import type { DataPlane } from "./data-plane.js";

export class LazyAuthorizer implements AuthorizerTransport {
  readonly #plane: DataPlane;
  readonly #onNotice: (message: string) => void;
  #loading: Promise<AuthorizerTransport> | undefined;

  constructor(plane: DataPlane, onNotice: (message: string) => void) {
    this.#plane = plane;
    this.#onNotice = onNotice;
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
    const clients = new ServiceClients(() => grpcClient(this.#plane), this.#plane.clock);
    return new GrpcAuthorizer(clients, this.#onNotice);
  }
}
