/** What OpenTelemetry's conventions say of a call of gRPC, for its span and for its metrics alike. */

import { isServerFault, type OutcomeRecord } from "@inmesh/core";
import { GRPC_STATUS_NAMES } from "@inmesh/model";

/** As short as a name of a span or a metric may be, whoever wrote the path. */
const PATH = /^\/[\w.]{1,200}\/\w{1,100}$/;
const UNIMPLEMENTED = 12;

/** @returns `pkg.Service/Method`; undefined for a path that is none */
export function rpcMethod(path: string): string | undefined {
  return PATH.test(path) ? path.slice(1) : undefined;
}

/** The same where it is known to be one. A method that no server has is its caller's own word. */
export function rpcMethodOf({ path, direction, grpcStatus }: OutcomeRecord): string | undefined {
  return direction === "inbound" && grpcStatus === UNIMPLEMENTED ? undefined : rpcMethod(path);
}

export function rpcStatusName({ grpcStatus }: OutcomeRecord): string {
  return GRPC_STATUS_NAMES[grpcStatus] ?? "UNKNOWN";
}

/** A caller counts whatever is no OK; who served the call, what is its own fault. */
export function rpcFailed({ direction, grpcStatus }: OutcomeRecord): boolean {
  return direction === "outbound" ? grpcStatus > 0 : isServerFault(grpcStatus);
}
