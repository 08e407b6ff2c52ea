/** Where the class of channels of a copy of grpc-js was replaced by the mesh's: the one before. */

import type { GrpcModule } from "./grpc-module.js";

export const ORIGINAL: unique symbol = Symbol.for("inmesh.grpc.original");

/** On channels of the mesh, which are no instances of that class. */
export const MESHED: unique symbol = Symbol.for("inmesh.grpc.meshed");

/** Option of a client that the mesh is to leave alone whatever it calls: set it to 1. */
export const EXEMPT = "inmesh.exempt";

type ChannelClass = GrpcModule["Channel"] & { [ORIGINAL]?: GrpcModule["Channel"] };

/** For channels that are none of the mesh's business, and those to its endpoints. */
export function originalChannel({ Channel }: { readonly Channel: ChannelClass }): GrpcModule["Channel"] {
  return Channel[ORIGINAL] ?? Channel;
}
