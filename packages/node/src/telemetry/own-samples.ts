/** What the parts of a process count themselves, read at a scrape: nothing here costs a request anything. */

import { X509Certificate } from "node:crypto";
import { type Breaker, type ClusterRuntime, EJECTION_REASONS } from "@inmesh/core/internal";
import type { Pool } from "@inmesh/http/internal";
import type { Samples } from "@inmesh/telemetry";
import type { DataPlane } from "../plane/data-plane.js";
import type { LeaseState } from "../plane/lease-keeper.js";
import { schemeOf } from "../settings/registry-url.js";
import { VERSION } from "../version.js";
import { xdsSamples } from "./xds-samples.js";

/** Pauses after each cluster: others may have a turn then. */
export function ownSamples(plane: DataPlane): (samples: Samples) => Iterable<void> {
  const roots = new RootExpiry();
  return function* (samples) {
    yield* clusterSamples(plane, samples);
    inboundSamples(plane, samples);
    configSamples(plane, samples);
    xdsSamples(plane, samples);
    identitySamples(plane, samples, roots);
    processSamples(samples);
  };
}

const LEASE_STATES: readonly LeaseState[] = ["none", "registered", "failing", "left"];

/** Of one service, all its ports and subsets together. */
class ServiceSums {
  breaker = -1;
  readonly moves = { open: 0, halfOpen: 0, closed: 0 };
  /** Undefined where policy ejects nobody, and has not. */
  ejections: Map<string, number> | undefined;
  ejected = 0;
  usable = 0;
  out = 0;
  active = 0;
  idle = 0;
  pending = 0;
  retriesLeft = Number.NaN;
  /** By category; undefined where no control plane has any dropped. */
  dropped: Map<string, number> | undefined;
  readonly rejected = { max_connections: 0, max_pending: 0, max_requests: 0, max_retries: 0 };

  add(cluster: ClusterRuntime, now: number): void {
    const { limits, states, usable, breakers, retriesLeft } = cluster;
    for (const breaker of breakers?.all() ?? []) {
      this.breaker = Math.max(this.breaker, rankOf(breaker, now));
    }
    const { open, halfOpen, closed } = cluster.breakerMoves;
    this.moves.open += open;
    this.moves.halfOpen += halfOpen;
    this.moves.closed += closed;
    if (breakers !== undefined) this.breaker = Math.max(this.breaker, 0);
    const { ejections } = cluster;
    if (cluster.config.policy.outlier !== undefined || Object.keys(ejections).length > 0) {
      this.ejections ??= new Map();
      for (const reason of EJECTION_REASONS)
        this.ejections.set(reason, (this.ejections.get(reason) ?? 0) + (ejections[reason] ?? 0));
    }
    for (const state of states) {
      const { size = 0, idle = 0 } = (state.http ?? {}) as Partial<Pool>;
      this.active += size - idle;
      this.idle += idle;
      if (state.outlierUntil > now) this.ejected += 1;
    }
    // One service's clusters share endpoints: the widest of them says how many there are.
    this.usable = Math.max(this.usable, usable.length);
    this.out = Math.max(this.out, states.length - usable.length);
    this.pending += limits.pending;
    const { connections, pending, requests, retries } = limits.overflows;
    this.rejected.max_connections += connections;
    this.rejected.max_pending += pending;
    this.rejected.max_requests += requests;
    this.rejected.max_retries += retries;
    for (const [category, count] of cluster.dropped) {
      this.dropped ??= new Map();
      this.dropped.set(category, (this.dropped.get(category) ?? 0) + count);
    }
    const byBudget = limits.maxRetries(now) - limits.retries;
    const left = Math.min(retriesLeft ?? Number.POSITIVE_INFINITY, byBudget);
    if (Number.isFinite(left))
      this.retriesLeft = Number.isNaN(this.retriesLeft) ? left : Math.min(this.retriesLeft, left);
  }
}

function rankOf(breaker: Breaker, now: number): number {
  const state = breaker.state(now);
  return state === "open" ? 2 : state === "halfOpen" ? 1 : 0;
}

function* clusterSamples({ engine }: DataPlane, samples: Samples): Iterable<void> {
  const now = engine.clock.now();
  const sums = new Map<string, ServiceSums>();
  for (const cluster of engine.clusters.all()) {
    const { host } = cluster.config;
    let sum = sums.get(host);
    if (sum === undefined) {
      sum = new ServiceSums();
      sums.set(host, sum);
    }
    sum.add(cluster, now);
    yield;
  }
  for (const [service, sum] of sums) {
    const of = ["service", service];
    samples.add("inmesh_endpoints", [...of, "health", "usable"], sum.usable);
    samples.add("inmesh_endpoints", [...of, "health", "out"], sum.out);
    for (const [reason, count] of sum.ejections ?? [])
      samples.add("inmesh_outlier_ejections_total", [...of, "reason", reason], count);
    samples.add("inmesh_outlier_ejections_active", of, sum.ejected);
    samples.add("inmesh_pool_connections", [...of, "state", "active"], sum.active);
    samples.add("inmesh_pool_connections", [...of, "state", "idle"], sum.idle);
    samples.add("inmesh_pool_pending", of, sum.pending);
    for (const [limit, count] of Object.entries(sum.rejected)) {
      samples.add("inmesh_limit_rejected_total", [...of, "limit", limit], count);
    }
    for (const [category, count] of sum.dropped ?? [])
      samples.add("inmesh_dropped_total", [...of, "category", category], count);
    if (sum.breaker >= 0) samples.add("inmesh_breaker_state", of, sum.breaker);
    if (sum.breaker >= 0 || sum.moves.open > 0) {
      const moved = (to: string, count: number): void =>
        samples.add("inmesh_breaker_transitions_total", [...of, "to", to], count);
      moved("open", sum.moves.open);
      moved("half_open", sum.moves.halfOpen);
      moved("closed", sum.moves.closed);
    }
    if (!Number.isNaN(sum.retriesLeft)) samples.add("inmesh_retry_budget_balance", of, Math.floor(sum.retriesLeft));
    yield;
  }
  for (const { cluster, stats, skipped } of engine.mirrors.read()) {
    const service = cluster.slice(cluster.lastIndexOf("|") + 1);
    const add = (result: string, reason: string, count: number): void =>
      samples.add("inmesh_mirror_total", ["service", service, "result", result, "reason", reason], count);
    samples.add("inmesh_mirror_in_flight", ["service", service], stats.inFlight);
    add("sent", "", stats.calls - stats.failures);
    add("failed", "", stats.failures);
    for (const [reason, count] of Object.entries(skipped)) add("skipped", reason, count ?? 0);
  }
}

function inboundSamples({ engine, inbound, security, settings, transport }: DataPlane, samples: Samples): void {
  samples.add("inmesh_malformed_traces_total", [], inbound.malformedTraces);
  samples.add("inmesh_inbound_in_flight", [], inbound.inFlight);
  const gate = engine.gate.read();
  for (const [reason, count] of Object.entries(gate?.admission?.reasons ?? {})) {
    samples.add("inmesh_inbound_shed_total", ["reason", reason], count);
  }
  let limited = 0;
  const limits = [...(gate?.rateLimits ?? []), ...(gate?.sharedLimits ?? [])];
  for (const { refused } of limits) limited += refused;
  if (limits.length > 0) {
    samples.add(
      "inmesh_rate_limited_total",
      ["direction", "inbound", "service", settings.service, "mode", "enforced"],
      limited,
    );
  }
  for (const { name, service, failed } of gate?.sharedLimits ?? []) {
    samples.add("inmesh_rate_limit_service_failures_total", ["service", service, "rule", name], failed);
  }
  const { rules, unmatched, dryRun } = engine.guard.read();
  const decisions = new Map<string, { readonly action: string; readonly policy: string; count: number }>();
  for (const { policy, action, count } of rules) {
    const short = policy.slice(policy.indexOf("/") + 1);
    const key = `${action} ${short}`;
    const known = decisions.get(key);
    if (known === undefined) decisions.set(key, { action: action.toLowerCase(), policy: short, count });
    else known.count += count;
  }
  for (const { action, policy, count } of decisions.values()) {
    samples.add("inmesh_authz_decisions_total", ["action", action, "policy", policy, "mode", "enforce"], count);
  }
  if (unmatched > 0) {
    samples.add("inmesh_authz_decisions_total", ["action", "deny", "policy", "none", "mode", "enforce"], unmatched);
  }
  for (const { policy, wouldAllow, wouldDeny } of dryRun) {
    const of = ["policy", policy.slice(policy.indexOf("/") + 1), "mode", "dry_run"];
    samples.add("inmesh_authz_decisions_total", ["action", "allow", ...of], wouldAllow);
    samples.add("inmesh_authz_decisions_total", ["action", "deny", ...of], wouldDeny);
  }
  const { handshakes, refused } = security.read();
  const shaken = (direction: string, result: string, reason: string, count: number): void =>
    samples.add("inmesh_tls_handshakes_total", ["direction", direction, "result", result, "reason", reason], count);
  shaken("inbound", "ok", "", handshakes.full + handshakes.resumed);
  for (const [reason, count] of Object.entries(refused)) shaken("inbound", "failed", reason, count);
  const { done, failed } = transport.handshakes;
  shaken("outbound", "ok", "", done);
  for (const [reason, count] of Object.entries(failed)) shaken("outbound", "failed", reason, count);
}

function configSamples({ pipeline, registryUrl, clock, leaseState, leaseFailures }: DataPlane, samples: Samples): void {
  if (leaseState !== undefined) {
    samples.add("inmesh_lease_failures_total", [], leaseFailures);
    for (const state of LEASE_STATES) samples.add("inmesh_lease_state", ["state", state], state === leaseState ? 1 : 0);
  }
  const kind = schemeOf(registryUrl)?.replace(/\+.*/, "") ?? (registryUrl === "memory" ? "memory" : "folder");
  const source = ["source", kind];
  samples.add("inmesh_config_version", source, pipeline?.version ?? 0);
  if (pipeline === undefined) return;
  const { source: status, problems, publications, compileFailures } = pipeline;
  const heard = status.state === "fresh";
  samples.add("inmesh_config_age_seconds", source, heard ? 0 : Math.max(0, clock.now() - status.since) / 1_000);
  for (const severity of ["error", "warning"] as const) {
    const count = problems.filter((problem) => problem.severity === severity).length;
    samples.add("inmesh_config_problems", [...source, "severity", severity], count);
  }
  samples.add("inmesh_config_updates_total", [...source, "result", "applied"], publications);
  samples.add("inmesh_config_updates_total", [...source, "result", "rejected"], compileFailures);
}

/** The first of the process's own roots to expire; read again only when certificates changed. */
class RootExpiry {
  #generation = -1;
  #expires = 0;

  read(generation: number, roots: readonly string[]): number {
    if (generation !== this.#generation) {
      this.#generation = generation;
      this.#expires = Math.min(...roots.map((pem) => Date.parse(new X509Certificate(pem).validTo)));
    }
    return this.#expires;
  }
}

function identitySamples({ identity }: DataPlane, samples: Samples, roots: RootExpiry): void {
  const { current } = identity ?? {};
  if (current === undefined) return;
  const { notAfter, generation, bundles, self } = current;
  samples.add("inmesh_certificate_expiry_timestamp_seconds", ["kind", "leaf"], Math.floor(notAfter / 1_000));
  const own = bundles.get(self.trustDomain) ?? [];
  if (own.length > 0) {
    const expires = Math.floor(roots.read(generation, own) / 1_000);
    samples.add("inmesh_certificate_expiry_timestamp_seconds", ["kind", "root"], expires);
  }
  samples.add("inmesh_certificate_rotations_total", ["result", "ok"], generation);
}

function processSamples(samples: Samples): void {
  const { user, system } = process.cpuUsage();
  samples.add("istio_build", ["component", "inmesh", "tag", VERSION], 1);
  samples.add("process_cpu_seconds_total", [], (user + system) / 1e6);
  samples.add("process_resident_memory_bytes", [], process.memoryUsage.rss());
  samples.add("process_start_time_seconds", [], Math.round(performance.timeOrigin / 1_000));
  const [major = "", minor = "", patch = ""] = process.version.slice(1).split(".");
  samples.add("nodejs_version_info", ["version", process.version, "major", major, "minor", minor, "patch", patch], 1);
}
