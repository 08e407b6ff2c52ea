/** What spans say, from the one record of what happened (observability §4.2). Names are those of OpenTelemetry's own package. */

import { flagsText, type OutcomeRecord, type TimeLedger } from "@inmesh/core";
import type { AttributeValue } from "@opentelemetry/api";
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
  ATTR_SERVER_ADDRESS,
  ATTR_SERVER_PORT,
  ATTR_URL_FULL,
  ATTR_URL_PATH,
  ATTR_URL_QUERY,
  ATTR_URL_SCHEME,
  ATTR_USER_AGENT_ORIGINAL,
} from "@opentelemetry/semantic-conventions";
import type { Redaction } from "./redact.js";

export type SpanAttributes = Record<string, AttributeValue>;

/** RFC 9110, and PATCH: others are `_OTHER`, or hostile callers make names of spans. */
const METHODS = new Set(["GET", "HEAD", "POST", "PUT", "DELETE", "CONNECT", "OPTIONS", "TRACE", "PATCH", "QUERY"]);
const OTHER = "_OTHER";
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
export function firstAttributes(method: string, attributes: SpanAttributes = {}): SpanAttributes {
  attributes[ATTR_HTTP_REQUEST_METHOD] = METHODS.has(method) ? method : OTHER;
  if (!METHODS.has(method)) attributes[ATTR_HTTP_REQUEST_METHOD_ORIGINAL] = method.slice(0, LONGEST_TEXT);
  return attributes;
}

export function callAttributes(record: OutcomeRecord, { redaction, envoyTags }: SpanOptions): SpanAttributes {
  const { call, endpoint, cluster, route, scheme, path, query, authority } = record;
  const all = firstAttributes(record.method);
  all[ATTR_URL_FULL] = redaction.url(scheme, authority, path, query);
  all[ATTR_SERVER_ADDRESS] = call?.host ?? authority;
  if (call !== undefined) all[ATTR_SERVER_PORT] = call.port;
  outcome(record, record.status >= 400, all);
  peer(
    record.remoteAddress || (endpoint === undefined ? "" : `${endpoint.endpoint.address}:${endpoint.endpoint.port}`),
    all,
  );
  if (endpoint !== undefined) {
    const { locality } = endpoint.endpoint;
    if (locality?.zone)
      all["inmesh.endpoint.locality"] = [locality.region, locality.zone, locality.subZone].filter(Boolean).join("/");
  }
  if (route !== undefined) all["inmesh.route"] = route.name;
  if (cluster !== undefined && cluster.config.subset !== "") all["inmesh.subset"] = cluster.config.subset;
  all["inmesh.attempts"] = record.attemptCount;
  if (record.httpRoute !== "") all["inmesh.on_behalf_of"] = record.httpRoute;
  if (envoyTags && cluster !== undefined) {
    all["upstream_cluster"] = cluster.config.name;
    all["upstream_cluster.name"] = cluster.config.name;
  }
  if (envoyTags) envoys(record, all);
  return all;
}

export function requestAttributes(record: OutcomeRecord, { redaction, envoyTags }: SpanOptions): SpanAttributes {
  const { path, query, httpRoute, remoteAddress, authority } = record;
  const all = firstAttributes(record.method);
  all[ATTR_URL_PATH] = path.slice(0, LONGEST_TEXT);
  if (query !== "") all[ATTR_URL_QUERY] = redaction.query(query);
  if (httpRoute !== "") all[ATTR_HTTP_ROUTE] = httpRoute;
  const [host, port] = addressAndPort(authority);
  if (host !== "") all[ATTR_SERVER_ADDRESS] = host;
  if (port > 0) all[ATTR_SERVER_PORT] = port;
  outcome(record, record.status >= 500, all);
  peer(remoteAddress, all);
  const [client] = addressAndPort(remoteAddress);
  if (client !== "") all[ATTR_CLIENT_ADDRESS] = client;
  if (envoyTags) envoys(record, all);
  return all;
}

/** What both sides say. @param failed by the conventions of its side */
function outcome(record: OutcomeRecord, failed: boolean, all: SpanAttributes): void {
  const { status, code, scheme, protocol, ledger } = record;
  all[ATTR_URL_SCHEME] = scheme;
  if (status > 0) all[ATTR_HTTP_RESPONSE_STATUS_CODE] = status;
  if (code !== "") {
    all["inmesh.error.code"] = code;
    all[ATTR_ERROR_TYPE] = code;
  } else if (failed) all[ATTR_ERROR_TYPE] = String(status);
  const version = protocol.slice(protocol.indexOf("/") + 1);
  if (version !== "") all[ATTR_NETWORK_PROTOCOL_VERSION] = version === "2.0" ? "2" : version;
  const agent = record.requestHeader("user-agent");
  if (agent !== undefined) all[ATTR_USER_AGENT_ORIGINAL] = agent.slice(0, LONGEST_TEXT);
  all["inmesh.mtls"] = record.mtls ? "mutual" : "none";
  if (record.peer !== undefined) all["inmesh.peer.principal"] = record.peer.principal;
  all["inmesh.policy.version"] = record.snapshot;
  if (record.policy !== "") all["inmesh.policy"] = record.policy;
  all["inmesh.overhead_us"] = Math.round(ledger.meshMs * 1_000);
  times(ledger, all);
}

/** Where the time went, in ms; what took none is left out. */
function times(ledger: TimeLedger, all: SpanAttributes): void {
  for (const [name, part] of PARTS) {
    const ms = ledger[part];
    if (ms > 0) all[name] = Math.round(ms * 1_000) / 1_000;
  }
}

const PARTS: readonly (readonly [name: string, part: keyof TimeLedger])[] = [
  ["inmesh.time.fault_ms", "faultMs"],
  ["inmesh.time.queue_ms", "queueMs"],
  ["inmesh.time.dns_ms", "dnsMs"],
  ["inmesh.time.connect_ms", "connectMs"],
  ["inmesh.time.tls_ms", "tlsMs"],
  ["inmesh.time.wait_ms", "waitMs"],
  ["inmesh.time.body_ms", "bodyMs"],
  ["inmesh.time.backoff_ms", "backoffMs"],
  ["inmesh.time.stall_ms", "stallMs"],
];

function peer(remoteAddress: string, all: SpanAttributes): void {
  const [address, port] = addressAndPort(remoteAddress);
  if (address === "") return;
  all[ATTR_NETWORK_PEER_ADDRESS] = address;
  if (port > 0) all[ATTR_NETWORK_PEER_PORT] = port;
}

function envoys(record: OutcomeRecord, all: SpanAttributes): void {
  all["response_flags"] = flagsText(record.flags);
  all["request_size"] = String(record.requestBytes);
  all["response_size"] = String(record.responseBytes);
  if (record.requestId !== "") all["guid:x-request-id"] = record.requestId.slice(0, LONGEST_TEXT);
}

/** `10.0.0.7:80`, `[::1]:80`, `::1`, `reviews`. 0: no port. */
export function addressAndPort(text: string): readonly [address: string, port: number] {
  const colon = text.lastIndexOf(":");
  const bare = colon < 0 || (text.indexOf(":") < colon && !text.includes("]:"));
  if (bare) return [text.replace(/^\[|\]$/g, ""), 0];
  return [text.slice(0, colon).replace(/^\[|\]$/g, ""), Number(text.slice(colon + 1)) || 0];
}
