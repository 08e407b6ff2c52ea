/** Rules of CircuitBreaker, Resilience and RateLimit beyond their schemas. docs/reference/resilience.md. */

import type { CircuitBreakerSpec } from "../kind/circuit-breaker.js";
import { parseRateLimitKey, type RateLimitSpec } from "../kind/rate-limit.js";
import type { RequestMatchSpec } from "../kind/request-match.js";
import type { HealthCheckSpec, ResilienceSpec } from "../kind/resilience.js";
import { quote } from "../problem-at.js";
import type { Path } from "../resource.js";
import { matchNameFault } from "./header-syntax.js";
import { checkHttpMatch } from "./http-match.js";
import { hostFault, portFault } from "./name-syntax.js";
import type { Report } from "./report.js";

const MAX_PROBES = 1_000;

export function checkCircuitBreaker(spec: CircuitBreakerSpec, path: Path, report: Report): void {
  checkHost(spec.host, path, report);
  report.range([...path, "failurePercent"], spec.failurePercent, 0, 100);
  report.range([...path, "probes"], spec.probes, 1, MAX_PROBES);
  report.range([...path, "minRequests"], spec.minRequests, 1, 1_000_000);
  if (spec.slowCall !== undefined) {
    const at = [...path, "slowCall"];
    if (spec.slowCall.duration === undefined) report.error(at, "slowCall names no duration. Write duration: 1s.");
    report.range([...at, "percent"], spec.slowCall.percent, 0, 100);
  }
  checkFallback(spec.fallback, [...path, "fallback"], report);
}

function checkFallback(spec: CircuitBreakerSpec["fallback"], path: Path, report: Report): void {
  if (spec === undefined) return;
  const { response, stale, destination } = spec;
  if (response === undefined && stale === undefined && destination === undefined) {
    report.error(path, "the fallback is empty. Write response, stale or destination.");
  }
  report.range([...path, "response", "status"], response?.status, 200, 599);
  for (const [name, value] of Object.entries(response?.headers ?? {})) {
    const at = [...path, "response", "headers", name];
    report.check(at, matchNameFault(name));
    if (/[\r\n\0]/.test(value)) report.error(at, "a header value has no line breaks. Remove them.");
  }
  if (stale !== undefined && stale.maxAge === undefined) {
    report.error([...path, "stale"], "stale names no maxAge. Write maxAge: 60s.");
  }
  if (destination !== undefined) {
    const at = [...path, "destination"];
    report.check(destination.host ? [...at, "host"] : at, hostFault(destination.host ?? ""));
    if (destination.port?.number) report.check([...at, "port", "number"], portFault(destination.port.number));
  }
}

export function checkResilience(spec: ResilienceSpec, path: Path, report: Report): void {
  checkHost(spec.host, path, report);
  checkHealthCheck(spec.healthCheck, [...path, "healthCheck"], report);
  report.range([...path, "retry", "percent"], spec.retry?.percent, 0, 100);
  report.range([...path, "retry", "minPerSecond"], spec.retry?.minPerSecond, 0, 1_000_000);
  report.range([...path, "retry", "maxBodyBytes"], spec.retry?.maxBodyBytes, 0, 64 * 2 ** 20);
  if (spec.retry?.minPerSecond !== undefined && spec.retry.percent === undefined) {
    report.error([...path, "retry", "minPerSecond"], "minPerSecond stands beside percent. Write percent: 20, too.");
  }
  report.range([...path, "hedging", "attempts"], spec.hedging?.attempts, 2, 5);
  if (spec.subsetting !== undefined && !spec.subsetting.size) {
    report.error([...path, "subsetting"], "subsetting names no size. Write size: 20.");
  }
  const { server } = spec;
  if (server === undefined) return;
  const at = [...path, "server"];
  const { min = 1, max = Number.POSITIVE_INFINITY } = server.adaptiveConcurrency ?? {};
  if (min > max) report.error([...at, "adaptiveConcurrency", "min"], `min ${min} is above max ${max}. Swap them.`);
  for (const [index, { priority, match }] of (server.priorities ?? []).entries()) {
    const place = [...at, "priorities", index];
    if (priority === undefined) report.error(place, "the entry names no priority. Write priority: CRITICAL.");
    checkMatches(match, [...place, "match"], report);
  }
  const { priorityHeader } = server;
  if (!priorityHeader) return;
  report.check([...at, "priorityHeader"], matchNameFault(priorityHeader));
  // Servers take them out of a request before anything looks at it, since anybody can send them.
  if (priorityHeader.toLowerCase().startsWith("x-inmesh-")) {
    report.error([...at, "priorityHeader"], "headers named x-inmesh-… are between meshes. Name another, x-priority.");
  }
}

/** Of a name that a health check of gRPC asks about, in bytes. */
const LONGEST_SERVICE = 127;

function checkHealthCheck(spec: HealthCheckSpec | undefined, path: Path, report: Report): void {
  if (spec === undefined) return;
  const { http, tcp, grpc, port } = spec;
  if (http === undefined && tcp === undefined && grpc === undefined) {
    report.error(
      path,
      "the check says neither http nor tcp nor grpc. Write http: {path: /healthz}, or tcp: {}, or grpc: {}.",
    );
  }
  if (port) report.check([...path, "port"], portFault(port));
  if (Buffer.byteLength(grpc?.service ?? "") > LONGEST_SERVICE) {
    report.error([...path, "grpc", "service"], `the name has more than ${LONGEST_SERVICE} bytes. Shorten it.`);
  }
  if (http === undefined) return;
  const at = [...path, "http"];
  if (http.path !== undefined && !/^\/[^\s#]*$/.test(http.path)) {
    report.error([...at, "path"], `found ${quote(http.path)}, expected a path such as /healthz. Correct it.`);
  }
  for (const [index, text] of (http.expectedStatuses ?? []).entries()) {
    const range = /^([1-5]\d\d)(?:-([1-5]\d\d))?$/.exec(text);
    if (range !== null && (range[2] === undefined || Number(range[1]) <= Number(range[2]))) continue;
    report.error([...at, "expectedStatuses", index], `found ${quote(text)}, expected 204 or 200-299. Correct it.`);
  }
}

const MOST_HITS = 1_000_000_000;

export function checkRateLimit(spec: RateLimitSpec, path: Path, report: Report): void {
  checkHost(spec.host, path, report);
  const { rules = [] } = spec;
  if (rules.length === 0) report.error(path, "it has no rules. Write rules: [{name: all, requests: 100, per: 1s}].");
  const names = new Set<string>();
  const { service } = spec;
  if (service !== undefined) checkLimitService(service, [...path, "service"], report);
  for (const [index, { name = "", match, by = [], requests = 0, per, burst, hitsAddend }] of rules.entries()) {
    const at = [...path, "rules", index];
    if (!/^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$/.test(name)) {
      report.error(name === "" ? at : [...at, "name"], `found name ${quote(name)}, expected one such as by-source.`);
    }
    if (names.has(name)) report.error([...at, "name"], `rule ${quote(name)} is there twice. Rename one.`);
    names.add(name);
    checkMatches(match, [...at, "match"], report);
    for (const [which, key] of by.entries()) {
      if (parseRateLimitKey(key) !== undefined) continue;
      const expected = "SOURCE_IP, METHOD, PATH or header:NAME";
      report.error([...at, "by", which], `found ${quote(key)}, expected ${expected}. Correct it.`);
    }
    if (service !== undefined) {
      for (const [field, value] of Object.entries({ requests: requests || undefined, per, burst })) {
        const elsewhere = `the service at spec.service counts, and its own configuration says how many. Remove ${field}.`;
        if (value !== undefined) report.error([...at, field], elsewhere);
      }
      // As Envoy's own schema has it.
      if ((hitsAddend ?? 0) > MOST_HITS)
        report.error([...at, "hitsAddend"], `found ${hitsAddend}, expected at most ${MOST_HITS}. Lower it.`);
      continue;
    }
    if (hitsAddend !== undefined) {
      const where = "it is what a request costs at the service of spec.service, and there is none. Remove hitsAddend.";
      report.error([...at, "hitsAddend"], where);
    }
    if (requests === 0) report.error(at, "the rule names no number of requests. Write requests: 100.");
    if (per === undefined) report.error(at, "the rule does not say per what time. Write per: 1s.");
    if (burst !== undefined && burst < 1) report.error([...at, "burst"], "expected at least 1. Raise it.");
  }
}

function checkLimitService(
  { host = "", port = 0, domain = "" }: NonNullable<RateLimitSpec["service"]>,
  path: Path,
  report: Report,
): void {
  checkHost(host, path, report);
  report.check(port === 0 ? path : [...path, "port"], portFault(port));
  if (domain === "")
    report.error(path, "the service is asked about a domain. Write domain: shop, as its limits are filed.");
}

function checkMatches(matches: readonly RequestMatchSpec[] | undefined, path: Path, report: Report): void {
  for (const [index, match] of (matches ?? []).entries()) checkHttpMatch(match, [...path, index], report);
}

function checkHost(host = "", path: Path, report: Report): void {
  report.check(host === "" ? path : [...path, "host"], hostFault(host));
}
