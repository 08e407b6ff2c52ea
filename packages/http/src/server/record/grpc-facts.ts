/** The status of a gRPC answer, from its trailers, or its head where there is no more than that. */

import type { Answer } from "../inbound-request.js";
import { StreamAnswer } from "../stream-answer.js";

/** gRPC's UNKNOWN: an answer without a status. */
const UNKNOWN = 2;
const CANCELLED = 1;

export const GRPC_MESSAGE = "grpc-message";

export function isGrpc(contentType: string | undefined): boolean {
  return contentType?.startsWith("application/grpc") === true && !contentType.startsWith("application/grpc-web");
}

interface Sent {
  readonly sentTrailers?: Readonly<Record<string, unknown>>;
  readonly sentHeaders?: Readonly<Record<string, unknown>>;
}

/** The words that go with the status, as they were before gRPC made ASCII of them. */
export function grpcMessageOf({ stream }: StreamAnswer): string | undefined {
  const { sentTrailers, sentHeaders } = stream as Sent;
  const written = sentTrailers?.[GRPC_MESSAGE] ?? sentHeaders?.[GRPC_MESSAGE];
  if (written === undefined) return undefined;
  try {
    return decodeURIComponent(String(written));
  } catch {
    return String(written); // not by gRPC's rules
  }
}

/** @param left its caller gave the call up */
export function grpcStatusOf(answer: Answer, left: boolean): number {
  if (!(answer instanceof StreamAnswer)) return UNKNOWN;
  const { sentTrailers, sentHeaders } = answer.stream as Sent;
  const status = Number(sentTrailers?.["grpc-status"] ?? sentHeaders?.["grpc-status"] ?? (left ? CANCELLED : UNKNOWN));
  return Number.isInteger(status) ? status : UNKNOWN;
}
