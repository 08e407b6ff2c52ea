/** gRPC answers 200 to nearly everything: what one means is in its grpc-status. */

import type { HeaderReader } from "./attempt.js";
import type { Call } from "./call.js";

/** HTTP status by gRPC status number, as Envoy's outlier detection takes them. */
const MEANT = [200, 499, 500, 400, 504, 404, 409, 403, 429, 400, 409, 400, 501, 500, 503, 500, 401];

/** gRPC and gRPC-Web. */
export function isGrpc(call: Call): boolean {
  const type = call.header("content-type");
  return typeof type === "string" && type.startsWith("application/grpc");
}

/** @returns the HTTP status that an answer amounts to: its own, unless it is gRPC's and its head says more */
export function statusMeant(call: Call, status: number, header: HeaderReader): number {
  if (status !== 200 || !isGrpc(call)) return status;
  const said = header("grpc-status");
  return said === undefined ? status : (MEANT[Number(said)] ?? 500);
}
