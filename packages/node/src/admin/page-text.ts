/** Pages of the admin endpoint as lines, for `curl` and `grep`. Clusters are written as Envoy writes them. */

import type { Explanation, TokenKeysReading } from "@inmesh/core";
import type {
  CertificateView,
  CertsView,
  ClustersView,
  EndpointView,
  EventsView,
  ServerInfo,
  StatsView,
} from "@inmesh/core/admin";
import { expectedText, type LiveExplanation, liveLines, outText } from "@inmesh/core/admin";

export function indexText(info: ServerInfo, reads: readonly string[], writes: readonly string[]): string {
  const { namespace, service, instance, state, inmesh, snapshot, registry } = info;
  return lines([
    `${namespace}/${service} ${instance}: ${state}, inmesh ${inmesh}, snapshot ${snapshot.version}, registry ${registry.url} ${registry.state}`,
    "",
    ...reads.map((path) => `GET  ${path}`),
    ...writes.map((path) => `POST ${path}`),
  ]);
}

/** `cluster::address::field::value` */
export function clustersText({ clusters }: ClustersView): string {
  return lines(
    clusters.flatMap((cluster) => [
      ...fields(cluster.name, {
        lb_policy: cluster.loadBalancer,
        ...limitFields(cluster.limits),
        cx_tls: cluster.tls,
        rq_total: cluster.stats.calls,
        rq_error: cluster.stats.failures,
        rq_active: cluster.stats.inFlight,
        rq_retry: cluster.stats.retries,
        usable: cluster.usable ?? cluster.endpoints.length,
        panic: cluster.panic ?? false,
      }),
      ...(cluster.breakers ?? []).map((breaker) => `${cluster.name}::breaker::${oneLine(breaker.text)}`),
      ...cluster.endpoints.flatMap((endpoint) => endpointLines(cluster.name, endpoint)),
    ]),
  );
}

function limitFields(limits: ClustersView["clusters"][number]["limits"]): Readonly<Record<string, number>> {
  if (limits === undefined) return {};
  return {
    "default_priority::max_connections": limits.connections.most,
    "default_priority::max_pending_requests": limits.pending.most,
    "default_priority::max_requests": limits.requests.most,
    "default_priority::max_retries": limits.retries.most,
  };
}

function endpointLines(cluster: string, endpoint: EndpointView): string[] {
  const { id, inFlight, attempts, failures, latencyMs, weight, dnsName, version, ejectedForMs, out = [] } = endpoint;
  return fields(`${cluster}::${id}`, {
    health_flags: out.length > 0 ? out.map(outText).join("; ") : ejectedForMs > 0 ? "ejected" : "healthy",
    weight,
    hostname: dnsName,
    version,
    rq_active: inFlight,
    rq_total: attempts,
    rq_error: failures,
    rq_success: attempts - failures,
    success_rate: attempts === 0 ? "-" : `${(((attempts - failures) / attempts) * 100).toFixed(1)}`,
    ewma_ms: latencyMs < 0 ? "-" : latencyMs.toFixed(2),
    ejected_for_ms: Math.round(ejectedForMs),
  });
}

export function listenersText({
  listeners,
}: {
  readonly listeners: readonly {
    readonly address: string;
    readonly port: number;
    readonly protocol: string;
    readonly mtls: string;
    readonly tls: string;
  }[];
}): string {
  return lines(
    listeners.map(
      ({ address, port, protocol, mtls, tls }) =>
        `${address}_${port}::${address.includes(":") ? `[${address}]` : address}:${port} ${protocol} mtls ${mtls}${tls === "application" ? ", TLS by the application" : ""}`,
    ),
  );
}

/** `name: value`; `?usedonly` and filters are for `/stats/prometheus`. */
export function statsText({ outbound, inbound, unrouted }: StatsView): string {
  return lines([
    ...outbound.flatMap(({ cluster, stats }) =>
      Object.entries(stats).flatMap(([name, value]) =>
        typeof value === "number" ? [`cluster.${cluster}.${name}: ${rounded(value)}`] : [],
      ),
    ),
    ...Object.entries(inbound).map(([name, value]) => `inbound.${name}: ${rounded(value)}`),
    `outbound.unrouted: ${unrouted}`,
  ]);
}

export function certsText({ identity, chain, roots, tokenKeys = [] }: CertsView): string {
  const { state, id, source, reason, renewsAt } = identity;
  return lines([
    `identity: ${state}${id === "" ? "" : ` ${id}`}${source === "" ? "" : `, from ${source}`}${reason === undefined ? "" : `: ${reason}`}`,
    ...(renewsAt === undefined ? [] : [`renewal: ${renewsAt}`]),
    ...chain.map((certificate) => `chain: ${certificateText(certificate)}`),
    ...roots.flatMap(({ trustDomain, certificates }) =>
      certificates.map((certificate) => `root of ${trustDomain}: ${certificateText(certificate)}`),
    ),
    ...tokenKeys.map(tokenKeysText),
  ]);
}

function tokenKeysText({ issuer, source, keys, ageMs, reason }: TokenKeysReading): string {
  const age =
    source === "inline" ? "" : ageMs === null ? ", not fetched yet" : `, fetched ${rounded(ageMs / 1_000)} s ago`;
  return `token keys of ${issuer}: ${keys}, ${source}${age}${reason === undefined ? "" : `: ${oneLine(reason)}`}`;
}

function certificateText({ id, subject, serial, notBefore, notAfter }: CertificateView): string {
  return `${id || subject || "-"} serial ${serial}, ${notBefore} to ${notAfter}`;
}

export function eventsText({ events }: EventsView): string {
  return lines(events.map(({ wallTime, kind, message }) => `${wallTime} ${kind}: ${oneLine(message)}`));
}

export function explanationText({
  steps,
  outcome,
  status,
  live,
}: Explanation & { readonly live: LiveExplanation | null }): string {
  const result = `result: ${outcome}${status === null ? "" : ` ${status}`}`;
  const now =
    live === null ? [] : ["now:", ...liveLines(live).map((line) => `  ${line}`), `expected: ${expectedText(live)}`];
  return lines([...steps, result, ...now]);
}

function fields(name: string, values: Readonly<Record<string, string | number | boolean>>): string[] {
  return Object.entries(values).map(([field, value]) => `${name}::${field}::${value}`);
}

function lines(all: readonly string[]): string {
  return all.map((line) => `${line}\n`).join("");
}

function oneLine(text: string): string {
  return text.replaceAll(/\s*\n\s*/g, " ");
}

function rounded(value: number): number {
  return Math.round(value * 1_000) / 1_000;
}
