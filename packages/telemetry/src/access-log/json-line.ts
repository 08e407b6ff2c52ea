/**
 * `JSON.stringify(entryOf(record))` with its end, at a tenth of its price: what a request pays for its line. A test compares the two
 * over random records. What a line says of a cluster, an endpoint or a rule is written once for as long as that lives, and numbers
 * with a fraction are put together from whole ones, which V8 writes ten times as fast (`npm run bench -- access-log`).
 */

import type { AttemptRecord, OutcomeRecord, TimeLedger } from "@inmesh/core";
import {
  attemptResult,
  capped,
  durationMs,
  firstByteMs,
  flagsOf,
  type LineContext,
  pathOf,
  responseHeader,
  routeName,
  serverName,
  serviceOf,
  subsetOf,
  transportFailure,
  upstreamCluster,
  upstreamHost,
  upstreamServiceMs,
} from "./fields.js";
import { isoTime } from "./iso-time.js";

/** Printable ASCII but for `"` and `\`: written as it is. */
const PLAIN = /^[ !#-[\]-~]*$/;
/** Words kept that come again and again: methods, protocols, Envoy's details, routes of the application. */
const MOST_WORDS = 256;
const LONGEST_WORD = 128;
/** Of HTTP; what is beyond is nobody's to be kept. */
const MOST_STATUS = 600;

/** Of a cluster, each with its comma and key; empty where it is not there. */
interface ClusterText {
  readonly cluster: string;
  readonly serverName: string;
  /** With its subset, and whose line it is. */
  readonly service: string;
}

/** @returns makes the line of a record, of the same process and with the same settings */
export function jsonLines(context: LineContext): (record: OutcomeRecord) => string {
  const lines = new JsonLines(context);
  return (record) => lines.of(record);
}

class JsonLines {
  readonly #context: LineContext;
  readonly #workload: string;
  readonly #clusters = new WeakMap<object, ClusterText>();
  readonly #endpoints = new WeakMap<object, string>();
  readonly #routes = new WeakMap<object, string>();
  readonly #words = new Map<string, string>();
  /** By status, then by details; of the protocol that was last. */
  readonly #answers: (Map<string, { readonly protocol: string; readonly text: string }> | undefined)[] = [];

  constructor(context: LineContext) {
    this.#context = context;
    this.#workload = maybe(',"workload":', context.workload);
  }

  of(record: OutcomeRecord): string {
    const outbound = record.direction === "outbound";
    const { attemptCount, grpcStatus, ledger, peer } = record;
    const us = Math.round(durationMs(record) * 1_000);
    const ttfb = firstByteMs(record, ledger);
    const cluster = this.#cluster(record);
    return (
      '{"start_time":"' +
      isoTime(record.wallMs) +
      (outbound ? '","direction":"outbound","method":' : '","direction":"inbound","method":') +
      this.#word(capped(record.method)) +
      ',"path":' +
      quoted(pathOf(record, this.#context.query)) +
      this.#answer(record) +
      (record.code === "" ? "" : maybe(',"upstream_transport_failure_reason":', transportFailure(record))) +
      ',"bytes_received":' +
      record.requestBytes +
      ',"bytes_sent":' +
      record.responseBytes +
      ',"duration":' +
      Math.floor(durationMs(record)) +
      maybeNumber(',"upstream_service_time":', upstreamServiceMs(record, ledger)) +
      // Neither is a secret by its name.
      maybe(',"x_forwarded_for":', cappedOrNone(record.requestHeader("x-forwarded-for"))) +
      maybe(',"user_agent":', cappedOrNone(record.requestHeader("user-agent"))) +
      maybe(',"request_id":', capped(record.requestId)) +
      ',"authority":' +
      (outbound ? this.#word(capped(record.authority)) : quoted(capped(record.authority))) +
      this.#upstreamHost(record) +
      cluster.cluster +
      maybe(outbound ? ',"upstream_local_address":' : ',"downstream_local_address":', record.localAddress) +
      (outbound ? "" : maybe(',"downstream_remote_address":', record.remoteAddress)) +
      cluster.serverName +
      this.#route(record) +
      ',"duration_us":' +
      us +
      (ttfb === undefined ? "" : `,"ttfb_ms":${msText(Math.round(ttfb * 1_000))}`) +
      timing(ledger) +
      (outbound ? (attemptCount === 1 ? ',"attempts":1' : `,"attempts":${attemptCount}`) : "") +
      (attemptCount > 1 || record.code !== "" ? attemptLog(record.attempts) : "") +
      maybe(',"no_retry":', record.noRetry) +
      maybe(',"code":', record.code) +
      cluster.service +
      this.#maybeWord(',"http_route":', record.httpRoute) +
      (record.mtls ? ',"mtls":"mutual"' : ',"mtls":"none"') +
      (peer === undefined ? "" : maybe(',"peer_principal":', peer.principal)) +
      maybe(',"trace_id":', record.traceId) +
      maybe(',"span_id":', record.spanId) +
      (grpcStatus < 0
        ? ""
        : `,"grpc_status":${grpcStatus}${maybe(',"grpc_message":', responseHeader(record, "grpc-message"))}`) +
      maybe(',"policy":', record.policy) +
      ',"snapshot":' +
      record.snapshot +
      "}\n"
    );
  }

  /** Protocol, code, flags and details: of few kinds where nothing went wrong. */
  #answer(record: OutcomeRecord): string {
    const { protocol, status, details, flags } = record;
    if (flags !== 0 || status >= MOST_STATUS) return this.#answerText(record);
    let byDetails = this.#answers[status];
    if (byDetails === undefined) {
      byDetails = new Map();
      this.#answers[status] = byDetails;
    }
    const known = byDetails.get(details);
    if (known !== undefined && known.protocol === protocol) return known.text;
    const text = this.#answerText(record);
    if (known !== undefined || (byDetails.size < MOST_WORDS && details.length <= LONGEST_WORD))
      byDetails.set(details, { protocol, text });
    return text;
  }

  #answerText(record: OutcomeRecord): string {
    const { protocol, status, details } = record;
    const code = `,"response_code":${status},"response_flags":"${flagsOf(record)}"`;
    return this.#maybeWord(',"protocol":', protocol) + code + this.#maybeWord(',"response_code_details":', details);
  }

  #cluster(record: OutcomeRecord): ClusterText {
    const config = record.direction === "outbound" ? record.cluster?.config : undefined;
    if (config === undefined) return clusterText(record, this.#context, this.#workload);
    let text = this.#clusters.get(config);
    if (text === undefined) {
      text = clusterText(record, this.#context, this.#workload);
      this.#clusters.set(config, text);
    }
    return text;
  }

  #upstreamHost(record: OutcomeRecord): string {
    const endpoint = record.direction === "outbound" ? record.endpoint?.endpoint : undefined;
    if (endpoint === undefined) return maybe(',"upstream_host":', upstreamHost(record));
    let text = this.#endpoints.get(endpoint);
    if (text === undefined) {
      text = maybe(',"upstream_host":', endpoint.id);
      this.#endpoints.set(endpoint, text);
    }
    return text;
  }

  #route(record: OutcomeRecord): string {
    const route = record.direction === "outbound" ? record.route : undefined;
    if (route === undefined) return maybe(',"route_name":', routeName(record));
    let text = this.#routes.get(route);
    if (text === undefined) {
      text = maybe(',"route_name":', routeName(record));
      this.#routes.set(route, text);
    }
    return text;
  }

  #word(value: string): string {
    const known = this.#words.get(value);
    if (known !== undefined) return known;
    const text = quoted(value);
    if (value.length <= LONGEST_WORD && this.#words.size < MOST_WORDS) this.#words.set(value, text);
    return text;
  }

  #maybeWord(key: string, value: string): string {
    return value === "" ? "" : key + this.#word(value);
  }
}

function clusterText(record: OutcomeRecord, { service }: LineContext, workload: string): ClusterText {
  return {
    cluster: maybe(',"upstream_cluster":', upstreamCluster(record)),
    serverName: maybe(',"requested_server_name":', serverName(record)),
    service: maybe(',"service":', serviceOf(record, service)) + maybe(',"subset":', subsetOf(record)) + workload,
  };
}

function quoted(value: string): string {
  return PLAIN.test(value) ? `"${value}"` : JSON.stringify(value);
}

/** Left out where it is not there. `key` with its comma and colon. */
function maybe(key: string, value: string | undefined): string {
  return value === undefined || value === "" ? "" : key + quoted(value);
}

function maybeNumber(key: string, value: number | undefined): string {
  return value === undefined ? "" : key + value;
}

function cappedOrNone(value: string | undefined): string | undefined {
  return value === undefined ? undefined : capped(value);
}

function timing({ meshMs, faultMs, queueMs, dnsMs, connectMs, tlsMs, waitMs, bodyMs, backoffMs, stallMs }: TimeLedger) {
  const parts =
    part(',"mesh":', meshMs) +
    part(',"fault":', faultMs) +
    part(',"queue":', queueMs) +
    part(',"dns":', dnsMs) +
    part(',"connect":', connectMs) +
    part(',"tls":', tlsMs) +
    part(',"wait":', waitMs) +
    part(',"body":', bodyMs) +
    part(',"backoff":', backoffMs) +
    part(',"stall":', stallMs);
  return parts === "" ? "" : `,"timing":{${parts.slice(1)}}`;
}

function part(key: string, ms: number): string {
  const us = ms === 0 ? 0 : Math.round(ms * 1_000);
  return us === 0 ? "" : key + msText(us);
}

/** `.001` to `.999`, without zeros at the end. */
const THOUSANDTHS = Array.from({ length: 1_000 }, (_, us) => (us === 0 ? "" : String(us / 1_000).slice(1)));
/** Beyond, whole numbers of µs are none of V8's small ones, and JSON may write them with an exponent. */
const MOST_US = 2 ** 30;

/** `String(us / 1_000)` */
function msText(us: number): string {
  if (!(us >= 0 && us < MOST_US)) return String(us / 1_000);
  const whole = Math.floor(us / 1_000);
  return whole + THOUSANDTHS[us - whole * 1_000]!; // 0 to 999
}

function attemptLog(attempts: readonly AttemptRecord[]): string {
  if (attempts.length === 0) return "";
  const items = attempts.map((attempt) => {
    const { endpoint, startedAt, endedAt } = attempt;
    const ms = Math.max(0, Math.round(endedAt - startedAt));
    return `{"endpoint":${quoted(endpoint.endpoint.id)},"ms":${ms},"result":${quoted(attemptResult(attempt))}}`;
  });
  return `,"attempt_log":[${items.join(",")}]`;
}
