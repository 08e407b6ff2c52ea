/** What a line may say of a record, under the names of Istio's JSON format and ours. Undefined: it is not there. */

import { type AttemptRecord, flagsText, type MeshErrorCode, type OutcomeRecord, type TimeLedger } from "@inmesh/core";

/** Of whoever writes the lines. */
export interface LineContext {
  /** `reviews.shop`. */
  readonly service: string;
  /** Of this process. */
  readonly workload: string;
  /** Paths are written with their query, where personal data and tokens like to be. @default false */
  readonly query: boolean;
}

/** Of one value that came over the wire, in UTF-16 units. */
const LONGEST = 2_048;

/** Values of these are nobody's to read, whatever a format asks for. */
const SECRET =
  /^(?:proxy-)?authorization$|^(?:set-)?cookie2?$|^(?:x-)?(?:api|auth|access|session|csrf|xsrf)-?(?:key|token)$|^x-amz-security-token$|^x-forwarded-client-cert$/;
export const REDACTED = "[redacted]";

export function capped(value: string): string {
  return value.length <= LONGEST ? value : `${value.slice(0, LONGEST)}…`;
}

export function requestHeader(record: OutcomeRecord, name: string): string | undefined {
  return shown(name, record.requestHeader(name));
}

export function responseHeader(record: OutcomeRecord, name: string): string | undefined {
  return shown(name, record.responseHeader(name));
}

function shown(name: string, value: string | undefined): string | undefined {
  if (value === undefined || value === "") return undefined;
  return SECRET.test(name) ? REDACTED : capped(value);
}

export function durationMs({ startedAt, endedAt }: OutcomeRecord): number {
  return Math.max(0, endedAt - startedAt);
}

/** Until the answer's head; undefined where none came. @param ledger of the record, which is added up anew for each who asks */
export function firstByteMs(record: OutcomeRecord, ledger: TimeLedger): number | undefined {
  return record.status === 0 ? undefined : Math.max(0, durationMs(record) - ledger.bodyMs);
}

export function flagsOf(record: OutcomeRecord): string {
  return record.flags === 0 ? "-" : flagsText(record.flags);
}

export function pathOf(record: OutcomeRecord, query: boolean): string {
  return capped(query && record.query !== "" ? `${record.path}?${record.query}` : record.path);
}

export function upstreamHost(record: OutcomeRecord): string | undefined {
  if (record.direction === "inbound") return filled(record.localAddress);
  return record.endpoint?.endpoint.id ?? filled(record.remoteAddress);
}

/** A request that was served has Istio's name for what listens there. */
export function upstreamCluster(record: OutcomeRecord): string | undefined {
  if (record.direction === "outbound") return filled(record.cluster?.config.name ?? "");
  const port = portOf(record.localAddress);
  return port === "" ? undefined : `inbound|${port}||`;
}

export function routeName(record: OutcomeRecord): string | undefined {
  return record.direction === "inbound" ? "default" : filled(record.route?.name ?? "");
}

/** Why no answer came from where the call went. */
export function transportFailure(record: OutcomeRecord): string | undefined {
  if (record.direction === "inbound" || !TRANSPORT.has(record.code)) return undefined;
  return filled(capped(record.message.replaceAll(/\s+/g, " ")));
}

/** Failures for which no connection came about. */
const TRANSPORT: ReadonlySet<string> = new Set<MeshErrorCode>(["CONNECT_FAILED", "WRONG_PEER", "TLS_UNAVAILABLE"]);

/** Of the last attempt: from the request to the answer's head. */
export function upstreamServiceMs(record: OutcomeRecord, ledger: TimeLedger): number | undefined {
  if (record.status === 0) return undefined;
  const { direction, attempts } = record;
  if (direction === "inbound" || attempts.length === 1) return Math.floor(ledger.waitMs);
  const last = attempts.at(-1);
  return last === undefined ? undefined : Math.floor(last.ledger.waitMs);
}

export function serverName(record: OutcomeRecord): string | undefined {
  return filled(record.cluster?.config.policy.tls.sni ?? "");
}

export function serviceOf(record: OutcomeRecord, own: string): string | undefined {
  if (record.direction === "inbound") return own;
  return record.cluster === undefined ? undefined : serviceName(record.cluster);
}

function serviceName({ config: { service, host } }: NonNullable<OutcomeRecord["cluster"]>): string {
  return service.name === "" ? host : `${service.name}.${service.namespace}`;
}

export function subsetOf(record: OutcomeRecord): string | undefined {
  return filled(record.cluster?.config.subset ?? "");
}

export function isFailure({ status, code, grpcStatus }: OutcomeRecord): boolean {
  return code !== "" || status === 0 || status >= 400 || grpcStatus > 0;
}

/** Its status, of gRPC where that is no OK; what became of it, where it was not answered. */
export function attemptResult({ status, grpcStatus, outcome }: AttemptRecord): string {
  if (grpcStatus > 0) return `grpc ${grpcStatus}`;
  return status > 0 ? String(status) : outcome;
}

export function filled(value: string): string | undefined {
  return value === "" ? undefined : value;
}

export function portOf(address: string): string {
  return address.slice(address.lastIndexOf(":") + 1);
}

/** `[::1]:80` gives `::1`. */
export function hostOf(address: string): string {
  const colon = address.lastIndexOf(":");
  return colon < 0 ? address : address.slice(0, colon).replaceAll(/[[\]]/g, "");
}
