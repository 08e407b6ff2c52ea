/**
 * Whole requests over real sockets, the upstream in another process: CPU of the calling process per request, paired
 * slices, 16 in flight, keep-alive.
 */

import { fileURLToPath } from "node:url";
import { CLIENTS } from "../case/cases.js";
import type { PairedRow } from "../lib/paired.js";
import { measureApart, PINNING } from "../lib/pinned.js";
import { type Report, type Row, show } from "../lib/table.js";

const RUNNER = fileURLToPath(new URL("../case/run-case.js", import.meta.url));

/** One endpoint, with and without everything that policy turns on. */
export function sockets(): Promise<Report> {
  return compare(
    "real sockets, 865 B JSON, 16 in flight",
    ["default", "policy"],
    ["goal: default policy <= +8 us and <= 1.10 over bare undici"],
  );
}

/** Every mechanism on that watches a call, while nothing fails. */
export function resilience(): Promise<Report> {
  return compare(
    "the same with limits, budgets, outlier detection and a breaker",
    ["resilience", "resilience-20"],
    ["goal: <= +5 us and <= 1.07 over bare undici with one endpoint, <= +10 us with 20"],
  );
}

/** Both ends show a certificate of the mesh, as by default; the connections are kept. */
export function mtls(): Promise<Report> {
  return compare(
    "the same between members of the mesh",
    ["mtls", "mtls-bare"],
    ["goal: mTLS <= 1.25 of plaintext; the last row is what node:tls itself takes"],
  );
}

/** The libraries that teams use instead. */
export function rivals(): Promise<Report> {
  return compare(
    "the same, beside what teams glue together by hand",
    ["policy", "interceptor", "retry-agent", "cockatiel", "glued"],
    ["goal: inmesh adds <= 1/5 of what opossum + p-retry + OpenTelemetry add"],
  );
}

/** What people call with. */
export function clients(): Promise<Report> {
  return compare("client libraries, default policy, each beside itself", CLIENTS, [
    "goal: <= 1.10 over the bare library",
  ]);
}

async function compare(bench: string, cases: readonly string[], notes: readonly string[]): Promise<Report> {
  const rows: Row[] = [];
  for (const name of cases) {
    const [baseline, again, candidate] = await measureApart<readonly PairedRow[]>(RUNNER, [name]);
    rows.push(row(baseline!), row(again!), row(candidate!)); // what `paired` gives for one candidate
  }
  return { bench, rows, notes: [...notes, "median and quartiles of paired slices", PINNING] };
}

function row({ name, cpuUs, ratio, addedUs }: PairedRow): Row {
  return { what: name, "CPU us/request": show(cpuUs, 1), ratio: show(ratio, 3), "added us": show(addedUs, 1) };
}
