/**
 * Whether a process is well, for orchestrators: alive, ready, started, each with the conditions it depends on. Answering is
 * what proves that it lives: the answer comes from the event loop that is asked about.
 */

import type { PipelineStatus } from "@inmesh/core";
import { type HealthView, type RegistryReading, registryDetails, registryReading } from "@inmesh/core/admin";
import type { Inbound } from "@inmesh/http/server";
import type { DataPlane } from "../plane/data-plane.js";
import { identityView } from "./certs-view.js";
import type { Page } from "./page.js";
import { xdsReading } from "./xds-view.js";

export interface Condition {
  readonly name: "config" | "identity" | "draining" | "failing";
  readonly ok: boolean;
  /** `ok v41`, `stale 3m`: what is to be said of it. */
  readonly text: string;
}

/** What follows `/healthz`. */
export type HealthQuestion = "" | "/live" | "/ready" | "/startup";

export const HEALTH_QUESTIONS: readonly HealthQuestion[] = ["", "/live", "/ready", "/startup"];

export function healthPage(plane: DataPlane, question: HealthQuestion): Page {
  if (question === "/live") return { status: 200, body: { live: true }, text: () => "live\n" };
  if (question === "/ready") return readyPage(plane);
  return question === "/startup" ? startupPage(plane) : detailPage(plane);
}

/**
 * For probes that reach the application's port only: the same pages below `path`. Whoever asks is told, whatever policy says
 * of who may call, and in plaintext on STRICT ports, too: orchestrators have no certificate. Exactly these paths, and no other
 * spelling of them.
 */
export function healthOnAppPort(plane: DataPlane, path: string): NonNullable<Inbound["reserved"]> {
  const questions = new Map(HEALTH_QUESTIONS.map((question) => [`${path}${question}`, question]));
  return (method, target) => {
    if (method !== "GET" && method !== "HEAD") return undefined;
    const query = target.indexOf("?");
    const question = questions.get(query < 0 ? target : target.slice(0, query));
    if (question === undefined) return undefined;
    const { status, body, text } = healthPage(plane, question);
    const isJson = query >= 0 && new URLSearchParams(target.slice(query)).get("format") === "json";
    return {
      status,
      headers: ["content-type", isJson ? "application/json" : "text/plain; charset=utf-8", "cache-control", "no-store"],
      body: isJson || text === undefined ? `${JSON.stringify(body)}\n` : text(),
      grpcStatus: 0,
    };
  };
}

/** As `/ready`. */
export function grpcHealth(plane: DataPlane): NonNullable<Inbound["health"]> {
  return {
    get serving() {
      return conditionsOf(plane).every(({ ok }) => ok);
    },
    get ending() {
      return plane.draining;
    },
  };
}

export function registryOf(plane: DataPlane): RegistryReading {
  const { pipeline, registryUrl, clock } = plane;
  const xds = xdsReading(plane);
  return { ...registryReading(pipeline, registryUrl, clock), ...(xds && { xds }) };
}

/** Configuration that is old is in force all the same: it makes nobody unready. */
export function conditionsOf(plane: DataPlane): readonly Condition[] {
  return [configCondition(plane), identityCondition(plane), ...endConditions(plane)];
}

function configCondition({ pipeline, store, clock, registryUrl }: DataPlane): Condition {
  const { state, version = 0, source } = pipeline ?? {};
  const base = { name: "config" as const, ok: store.current !== undefined };
  if (store.current === undefined) return { ...base, text: `starting${source?.reason ? `: ${source.reason}` : ""}` };
  if (source?.state === "stale") {
    const { staleMs } = registryReading(pipeline, registryUrl, clock);
    return { ...base, text: `stale ${age(staleMs)}` };
  }
  return { ...base, text: `${state === "degraded" ? "degraded" : "ok"} v${version}` };
}

/** Peers refuse a certificate that has expired, and cannot be sent elsewhere by one that is still awaited. */
function identityCondition(plane: DataPlane): Condition {
  const { state, notAfter, reason } = identityView(plane);
  const name = "identity" as const;
  if (state === "off") return { name, ok: true, text: "none" };
  if (state === "expired") return { name, ok: false, text: `expired${reason ? `: ${reason}` : ""}` };
  if (notAfter === undefined) return { name, ok: true, text: `awaited${reason ? `: ${reason}` : ""}` };
  const left = age(Math.max(0, Date.parse(notAfter) - plane.clock.wallTime()));
  return { name, ok: true, text: state === "failing" ? `renewal failing, ${left} left` : `ok ${left}` };
}

function endConditions({ draining, failing }: DataPlane): Condition[] {
  const conditions: Condition[] = [{ name: "draining", ok: !draining, text: draining ? "yes" : "no" }];
  if (failing) conditions.push({ name: "failing", ok: false, text: "yes, by POST /healthcheck/fail" });
  return conditions;
}

/** 503 while no calls should be sent here. */
function readyPage(plane: DataPlane): Page {
  const { draining, failing, pipeline } = plane;
  const conditions = conditionsOf(plane);
  const ready = conditions.every(({ ok }) => ok);
  const fields = { config: pipeline?.state ?? "starting", version: pipeline?.version ?? 0, draining, failing };
  return {
    status: ready ? 200 : 503,
    body: { ready, ...fields, conditions },
    text: () => `${ready ? "ready" : "not ready"}: ${conditionsText(conditions)}\n`,
  };
}

/** 200 from the first time that it was ready, whatever happens afterwards. */
function startupPage(plane: DataPlane): Page {
  const conditions = conditionsOf(plane);
  const started = plane.hasStarted;
  return {
    status: started ? 200 : 503,
    body: { started, conditions },
    text: () => `${started ? "started" : "starting"}: ${conditionsText(conditions)}\n`,
  };
}

function conditionsText(conditions: readonly Condition[]): string {
  return conditions.map(({ name, text }) => `${name} ${text}`).join("; ");
}

/** As `/ready`, with what is not as it should be: a registry that is away makes nobody unready. */
function detailPage(plane: DataPlane): Page {
  const { draining, failing, pipeline } = plane;
  const registry = registryOf(plane);
  const details = [
    ...registryDetails(registry),
    ...policyDetails(pipeline),
    ...plane.security.problems,
    ...identityDetails(plane),
  ];
  const ready = conditionsOf(plane).every(({ ok }) => ok);
  const degraded = details.length > 0 ? "degraded" : "ok";
  const unready = plane.store.current === undefined ? "starting" : "failing";
  const status = draining ? "draining" : failing ? "failing" : ready ? degraded : unready;
  const body: HealthView = { status, details, registry };
  return {
    status: ready ? 200 : 503,
    body,
    text: () => [status, ...details].map((line) => `${line}\n`).join(""),
  };
}

function identityDetails(plane: DataPlane): string[] {
  const { state, reason = "" } = identityView(plane);
  if (state === "off" || state === "ready") return [];
  return [state === "expired" ? `its certificate has expired: ${reason}` : `its certificate: ${reason || state}`];
}

function policyDetails(pipeline: PipelineStatus | undefined): string[] {
  if (pipeline?.state !== "degraded") return [];
  const { refused, problems } = pipeline;
  const first = refused[0]?.problems[0] ?? problems.find(({ severity }) => severity === "error");
  const text = first === undefined ? "" : `: ${first.code} ${first.resource || first.file}`;
  return [`something that is written is not in force${text}`];
}

/** `40s`, `3m`, `23h`, `12d`. */
function age(ms: number): string {
  if (ms < 120_000) return `${Math.round(ms / 1_000)}s`;
  if (ms < 7_200_000) return `${Math.round(ms / 60_000)}m`;
  return ms < 172_800_000 ? `${Math.round(ms / 3_600_000)}h` : `${Math.round(ms / 86_400_000)}d`;
}
