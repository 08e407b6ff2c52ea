/** Rate limit services over gRPC: what asks them is loaded with the first request that one of them judges. */

import type { RateLimitService, RateLimitServices } from "@inmesh/core";
import type { DataPlane } from "./data-plane.js";

type Make = (service: Parameters<RateLimitServices>[0]) => RateLimitService;

export function lazyRateLimits(plane: DataPlane): RateLimitServices {
  /** By what a document says: a new version of it makes a new one. */
  const made = new WeakMap<object, RateLimitService>();
  let loading: Promise<Make> | undefined;
  return (service) => ({
    async shouldRateLimit(...asked) {
      loading ??= load(plane);
      const make = await loading;
      let asker = made.get(service);
      if (asker === undefined) {
        asker = make(service);
        made.set(service, asker);
      }
      return asker.shouldRateLimit(...asked);
    },
  });
}

async function load(plane: DataPlane): Promise<Make> {
  const [{ GrpcRateLimitService, ServiceClients }, { grpcClient }] = await Promise.all([
    import("@inmesh/grpc"),
    import("./grpc-client.js"),
  ]);
  const clients = new ServiceClients(() => grpcClient(plane), plane.clock);
  return ({ host, port, timeoutMs }) => new GrpcRateLimitService({ clients, host, port, timeoutMs });
}
