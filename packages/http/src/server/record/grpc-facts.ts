/** The status of a gRPC answer, from its trailers, or its head where there is no more than that. */

import type { Answer } from "../inbound-request.js";
import { StreamAnswer } from "../stream-answer.js";

/** gRPC's UNKNOWN: an answer without a status. */
const UNKNOWN = 2;

export function isGrpc(contentType: string | undefined): boolean {
  return contentType?.startsWith("application/grpc") === true && !contentType.startsWith("application/grpc-web");
}

export function grpcStatusOf(answer: Answer): number {
  if (!(answer instanceof StreamAnswer)) return UNKNOWN;
  const { sentTrailers, sentHeaders } = answer.stream as {
    readonly sentTrailers?: Readonly<Record<string, unknown>>;
    readonly sentHeaders?: Readonly<Record<string, unknown>>;
  };
  const status = Number(sentTrailers?.["grpc-status"] ?? sentHeaders?.["grpc-status"] ?? UNKNOWN);
  return Number.isInteger(status) ? status : UNKNOWN;
}
