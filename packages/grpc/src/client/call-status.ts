/** What callers of gRPC get where no server answered them. */

import { MeshError, messageOf } from "@inmesh/core";
import { grpcStatusOfError } from "@inmesh/core/internal";
import type { StatusObject } from "./grpc-call.js";
import type { GrpcModule } from "./grpc-module.js";

const UNKNOWN = 2;
const UNAVAILABLE = 14;

/** Why a caller gave its call up, in its own words. */
export class GivenUp extends Error {
  readonly code: number;

  constructor(code: number, details: string) {
    super(details);
    this.code = code;
  }
}

/** @param fault of the call's rule */
export function statusOfError(
  { Metadata }: GrpcModule,
  error: unknown,
  fault: { readonly abortGrpcStatus?: string } | undefined,
): StatusObject {
  const metadata = new Metadata();
  if (error instanceof GivenUp) return { code: error.code, details: error.message, metadata };
  if (error instanceof MeshError) {
    return { code: grpcStatusOfError(error.code, error.status, fault), details: error.message, metadata };
  }
  return { code: UNKNOWN, details: messageOf(error), metadata };
}

/** A rule answers or redirects, which means nothing to gRPC. @param status of HTTP */
export function statusOfReply({ Metadata }: GrpcModule, status: number, rule: string): StatusObject {
  const details = `rule "${rule}" answers with HTTP status ${status} itself, which is no answer to gRPC. The call was not sent`;
  return { code: UNAVAILABLE, details, metadata: new Metadata() };
}
