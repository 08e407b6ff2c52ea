/** A deadline as gRPC writes it: `grpc-timeout`, at most eight digits and a unit (gRPC over HTTP/2, Timeout). */

import type { RequestHead } from "./request-head.js";

export const GRPC_TIMEOUT_HEADER = "grpc-timeout";

const SYNTAX = /^(\d{1,8})([HMSmun])$/;
const UNIT_MS: Readonly<Record<string, number>> = { H: 3_600_000, M: 60_000, S: 1_000, m: 1, u: 1e-3, n: 1e-6 };
/** What eight digits of ms can say. */
const LONGEST_MS = 99_999_999;

/** @returns ms; Infinity for what cannot be read, as without the header */
export function grpcTimeoutMs(value: string): number {
  const [, digits = "", unit = ""] = SYNTAX.exec(value) ?? [];
  const unitMs = UNIT_MS[unit];
  return unitMs === undefined ? Number.POSITIVE_INFINITY : Number(digits) * unitMs;
}

/**
 * Tells a gRPC application of a deadline that came in another way and is sooner than its caller's own, so that its library
 * ends the call by it. @param remainingMs of the request; Infinity: it has none
 */
export function tellGrpcDeadline({ headers, rawHeaders }: RequestHead, remainingMs: number): void {
  if (remainingMs > LONGEST_MS) return;
  const given = headers[GRPC_TIMEOUT_HEADER];
  if (typeof given === "string" && grpcTimeoutMs(given) <= remainingMs) return;
  const value = `${Math.ceil(remainingMs)}m`;
  headers[GRPC_TIMEOUT_HEADER] = value;
  const at = rawHeaders.findIndex((name, index) => index % 2 === 0 && name.toLowerCase() === GRPC_TIMEOUT_HEADER);
  if (at < 0) rawHeaders.push(GRPC_TIMEOUT_HEADER, value);
  else rawHeaders[at + 1] = value;
}
