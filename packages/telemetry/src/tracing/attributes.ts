/** What spans say, from the one record of what happened (observability §4.2). Names are those of OpenTelemetry's own package. */

import { type Call, flagsText, type OutcomeRecord, type TimeLedger } from "@inmesh/core";
import { withoutBrackets } from "@inmesh/core/internal";
import type { Attributes, AttributeValue } from "@opentelemetry/api";
import {
  ATTR_CLIENT_ADDRESS,
  ATTR_ERROR_TYPE,
  ATTR_HTTP_REQUEST_METHOD,
  ATTR_HTTP_REQUEST_METHOD_ORIGINAL,
  ATTR_HTTP_RESPONSE_STATUS_CODE,
  ATTR_HTTP_ROUTE,
  ATTR_NETWORK_PEER_ADDRESS,
  ATTR_NETWORK_PEER_PORT,
  ATTR_NETWORK_PROTOCOL_VERSION,
  ATTR_RPC_METHOD,
  ATTR_RPC_METHOD_ORIGINAL,
  ATTR_RPC_STATUS_CODE,
  ATTR_RPC_SYSTEM_NAME,
  ATTR_SERVER_ADDRESS,
  ATTR_SERVER_PORT,
  ATTR_URL_FULL,
  ATTR_URL_PATH,
  ATTR_URL_QUERY,
  ATTR_URL_SCHEME,
  ATTR_USER_AGENT_ORIGINAL,
} from "@opentelemetry/semantic-conventions";
import { rpcFailed, rpcMethod, rpcMethodOf, rpcStatusName } from "../rpc.js";
import type { Redaction } from "./redact.js";

/** A span, or who stands for one. Told one by one: of an object with more than a dozen keys V8 makes a dictionary. */
export interface AttributeTarget {
  setAttribute(name: string, value: AttributeValue): unknown;
}

/** RFC 9110, and PATCH: others are `_OTHER`, or hostile callers make names of spans. */
const METHODS = new Set(["GET", "HEAD", "POST", "PUT", "DELETE", "CONNECT", "OPTIONS", "TRACE", "PATCH", "QUERY"]);
const OTHER = "_OTHER";
const GRPC = "grpc";
const LONGEST_TEXT = 512;

export interface SpanOptions {
  readonly redaction: Redaction;
  /** Envoy's own names beside ours. */
  readonly envoyTags: boolean;
}

/** As a name of spans begins: `GET`, `HTTP` for what nobody knows. */
export function shownMethod(method: string): string {
  return METHODS.has(method) ? method : "HTTP";
}

/** Known when a span begins, so that samplers may judge by it. */
export function firstAttributes(method: string): Attributes {
  if (METHODS.has(method)) return { [ATTR_HTTP_REQUEST_METHOD]: method };
  return {
    [ATTR_HTTP_REQUEST_METHOD]: OTHER,
    [ATTR_HTTP_REQUEST_METHOD_ORIGINAL]: method.slice(0, LONGEST_TEXT),
  };
}

/** The same of a call. @param rpc path of its method, where it is gRPC */
export function firstOfCall({ method, host, port }: Pick<Call, "method" | "host" | "port">, rpc?: string): Attributes {
  if (rpc === undefined && METHODS.has(method)) {
    // Nearly all: in one piece, since a spread costs more than the span.
    return { [ATTR_HTTP_REQUEST_METHOD]: method, [ATTR_SERVER_ADDRESS]: host, [ATTR_SERVER_PORT]: port };
  }
  const first = rpc === undefined ? firstAttributes(method) : firstOfRpc(rpc);
  return { ...first, [ATTR_SERVER_ADDRESS]: host, [ATTR_SERVER_PORT]: port };
}

/** The same of gRPC, called or served. */
export function firstOfRpc(path: string): Attributes {
  const method = rpcMethod(path);
  return { [ATTR_RPC_SYSTEM_NAME]: GRPC, ...(method !== undefined && { [ATTR_RPC_METHOD]: method }) };
}

/** `pkg.Service/Method`, or what the conventions call a method that nobody knows. */
export function rpcName(path: string): string {
  return rpcMethod(path) ?? GRPC;
}

/** Path of the method that is called; undefined where it is no gRPC. */
export function rpcPath(method: string, target: string, type: string | undefined): string | undefined {
  if (method !== "POST" || type?.startsWith("application/grpc") !== true) return undefined;
  return type.startsWith("application/grpc-web") ? undefined : target;
}

/** What is known when a call is over, and not when its span begins. */
export function tellCall(record: OutcomeRecord, { redaction, envoyTags }: SpanOptions, to: AttributeTarget): void {
  const { endpoint, cluster, route, scheme, path, query, authority } = record;
  if (record.grpcStatus < 0) to.setAttribute(ATTR_URL_FULL, redaction.url(scheme, authority, path, query));
  tellOutcome(record, record.status >= 400, to);
  if (record.remoteAddress !== "") tellPeer(record.remoteAddress, to);
  else if (endpoint !== undefined) {
    to.setAttribute(ATTR_NETWORK_PEER_ADDRESS, endpoint.endpoint.address);
    to.setAttribute(ATTR_NETWORK_PEER_PORT, endpoint.endpoint.port);
  }
  const locality = endpoint?.endpoint.locality;
  if (locality?.zone) {
    const names = [locality.region, locality.zone, locality.subZone].filter(Boolean);
    to.setAttribute("inmesh.endpoint.locality", names.join("/"));
  }
  if (route !== undefined) to.setAttribute("inmesh.route", route.name);
  if (cluster !== undefined && cluster.config.subset !== "") to.setAttribute("inmesh.subset", cluster.config.subset);
  to.setAttribute("inmesh.attempts", record.attemptCount);
  if (record.httpRoute !== "") to.setAttribute("inmesh.on_behalf_of", record.httpRoute);
  if (!envoyTags) return;
  if (cluster !== undefined) {
    to.setAttribute("upstream_cluster", cluster.config.name);
    to.setAttribute("upstream_cluster.name", cluster.config.name);
  }
  tellEnvoys(record, to);
}

/** What is known when a request was served, and not when its span begins. */
export function tellRequest(record: OutcomeRecord, { redaction, envoyTags }: SpanOptions, to: AttributeTarget): void {
  const { path, query, httpRoute, remoteAddress, authority } = record;
  if (record.grpcStatus < 0) to.setAttribute(ATTR_URL_PATH, path.slice(0, LONGEST_TEXT));
  if (query !== "" && record.grpcStatus < 0) to.setAttribute(ATTR_URL_QUERY, redaction.query(query));
  if (httpRoute !== "") to.setAttribute(ATTR_HTTP_ROUTE, httpRoute);
  const [host, port] = addressAndPort(authority);
  if (host !== "") to.setAttribute(ATTR_SERVER_ADDRESS, host);
  if (port > 0) to.setAttribute(ATTR_SERVER_PORT, port);
  tellOutcome(record, record.status >= 500, to);
  const client = tellPeer(remoteAddress, to);
  if (client !== "") to.setAttribute(ATTR_CLIENT_ADDRESS, client);
  if (envoyTags) tellEnvoys(record, to);
}

/** What both sides say. @param failed by the conventions of its side */
function tellOutcome(record: OutcomeRecord, failed: boolean, to: AttributeTarget): void {
  const { status, code, scheme, protocol, ledger, peer, policy } = record;
  if (code !== "") to.setAttribute("inmesh.error.code", code);
  if (record.grpcStatus >= 0) tellRpc(record, to);
  else {
    to.setAttribute(ATTR_URL_SCHEME, scheme);
    if (status > 0) to.setAttribute(ATTR_HTTP_RESPONSE_STATUS_CODE, status);
    if (code !== "") to.setAttribute(ATTR_ERROR_TYPE, code);
    else if (failed) to.setAttribute(ATTR_ERROR_TYPE, String(status));
  }
  const version = protocol.slice(protocol.indexOf("/") + 1);
  if (version !== "") to.setAttribute(ATTR_NETWORK_PROTOCOL_VERSION, version === "2.0" ? "2" : version);
  const agent = record.requestHeader("user-agent");
  if (agent !== undefined) to.setAttribute(ATTR_USER_AGENT_ORIGINAL, agent.slice(0, LONGEST_TEXT));
  to.setAttribute("inmesh.mtls", record.mtls ? "mutual" : "none");
  if (peer !== undefined) to.setAttribute("inmesh.peer.principal", peer.principal);
  to.setAttribute("inmesh.policy.version", record.snapshot);
  if (policy !== "") to.setAttribute("inmesh.policy", policy);
  to.setAttribute("inmesh.overhead_us", Math.round(ledger.meshMs * 1_000));
  tellTimes(ledger, to);
}

/** What RPC conventions say in place of HTTP's. */
function tellRpc(record: OutcomeRecord, to: AttributeTarget): void {
  const status = rpcStatusName(record);
  to.setAttribute(ATTR_RPC_STATUS_CODE, status);
  if (rpcFailed(record)) to.setAttribute(ATTR_ERROR_TYPE, record.code !== "" ? record.code : status);
  if (rpcMethodOf(record) !== undefined) return;
  to.setAttribute(ATTR_RPC_METHOD, OTHER);
  to.setAttribute(ATTR_RPC_METHOD_ORIGINAL, record.path.slice(0, LONGEST_TEXT));
}

/** Where the time went, in ms; what took none is left out. One by one: to look parts up by their names costs as much again. */
function tellTimes(ledger: TimeLedger, to: AttributeTarget): void {
  tellTime("inmesh.time.fault_ms", ledger.faultMs, to);
  tellTime("inmesh.time.queue_ms", ledger.queueMs, to);
  tellTime("inmesh.time.dns_ms", ledger.dnsMs, to);
  tellTime("inmesh.time.connect_ms", ledger.connectMs, to);
  tellTime("inmesh.time.tls_ms", ledger.tlsMs, to);
  tellTime("inmesh.time.wait_ms", ledger.waitMs, to);
  tellTime("inmesh.time.body_ms", ledger.bodyMs, to);
  tellTime("inmesh.time.backoff_ms", ledger.backoffMs, to);
  tellTime("inmesh.time.stall_ms", ledger.stallMs, to);
}

function tellTime(name: string, ms: number, to: AttributeTarget): void {
  if (ms === 0) return;
  const us = Math.round(ms * 1_000);
  if (us > 0) to.setAttribute(name, us / 1_000);
}

/** @returns its address, empty for none */
function tellPeer(remoteAddress: string, to: AttributeTarget): string {
  const [address, port] = addressAndPort(remoteAddress);
  if (address === "") return "";
  to.setAttribute(ATTR_NETWORK_PEER_ADDRESS, address);
  if (port > 0) to.setAttribute(ATTR_NETWORK_PEER_PORT, port);
  return address;
}

function tellEnvoys(record: OutcomeRecord, to: AttributeTarget): void {
  to.setAttribute("response_flags", flagsText(record.flags));
  to.setAttribute("request_size", String(record.requestBytes));
  to.setAttribute("response_size", String(record.responseBytes));
  if (record.requestId !== "") to.setAttribute("guid:x-request-id", record.requestId.slice(0, LONGEST_TEXT));
}

/** `10.0.0.7:80`, `[::1]:80`, `::1`, `reviews`. 0: no port. */
export function addressAndPort(text: string): readonly [address: string, port: number] {
  const colon = text.lastIndexOf(":");
  const bare = colon < 0 || (text.indexOf(":") < colon && !text.includes("]:"));
  if (bare) return [withoutBrackets(text), 0];
  return [withoutBrackets(text.slice(0, colon)), Number(text.slice(colon + 1)) || 0];
}
