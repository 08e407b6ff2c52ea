/**
 * What telemetry costs while nothing happens, and what a scrape takes of the event loop: a process of its own with the metrics, the
 * recorder and the access log of a mesh, of as many services as there are label sets.
 */

import { fileURLToPath } from "node:url";
import { Call, Engine, SnapshotStore } from "@inmesh/core";
import { measureApart } from "../lib/pinned.js";
import { resources, snapshot, workloads } from "../lib/policy.js";
import { spread } from "../lib/stats.js";
import type { Report } from "../lib/table.js";
import { MainThread } from "../lib/turns.js";
import { nullExchange } from "./pipeline.js";

/** A label set of a call is one counter and three histograms of 22 lines each: 30 of them are 2,010 series as Prometheus counts. */
const LABEL_SETS = [30, 2_000] as const;
const SCRAPES = 60;

interface Measured {
  readonly idleMb: number;
  readonly lines: number;
  readonly totalMs: number;
  readonly worstTotalMs: number;
  /** Of all scrapes. */
  readonly worstSliceMs: number;
}

export async function telemetry(): Promise<Report> {
  const rows: Record<string, string>[] = [];
  for (const sets of LABEL_SETS) {
    const of = await measureApart<Measured>(fileURLToPath(import.meta.url), ["measure", String(sets)]);
    if (rows.length === 0) rows.push({ what: "loaded and idle, heap", figure: `${of.idleMb.toFixed(2)} MB` });
    rows.push(
      {
        what: `scrape, ${sets} label sets of a call (${of.lines} lines), median`,
        figure: `${of.totalMs.toFixed(1)} ms`,
      },
      { what: "the slowest of them", figure: `${of.worstTotalMs.toFixed(1)} ms` },
      { what: "longest slice of any", figure: `${of.worstSliceMs.toFixed(2)} ms` },
    );
  }
  const notes = [
    "goal: idle <= 2 MB; 2,000 series <= 10 ms, no slice over 5 ms",
    "time is the main thread's, as the CPU counts it",
  ];
  return { bench: "telemetry at rest, and scraped", rows, notes };
}

function heapMb(): number {
  for (let turn = 0; turn < 3; turn++) (globalThis as { gc?: () => void }).gc?.();
  return process.memoryUsage().heapUsed / 2 ** 20;
}

async function measure(sets: number): Promise<Measured> {
  const store = new SnapshotStore();
  const engine = new Engine({ store });
  const bare = heapMb();
  const { meshMetrics } = await import("../lib/mesh-metrics.js");
  await import("@inmesh/telemetry/access-log");
  const metrics = meshMetrics();
  engine.sinks.add(engine.recorder);
  engine.sinks.add(metrics);
  const idleMb = heapMb() - bare;
  const names = Array.from({ length: sets }, (_, index) => `service-${index}`);
  store.publish(
    snapshot(
      resources(""),
      names.flatMap((name) => workloads(name, 1)),
    ),
  );
  for (const name of names) engine.start(new Call(nullExchange, "GET", "http", name, 80, name, "/", []));
  let lines = 0;
  const totals: number[] = [];
  const thread = new MainThread();
  let worstSliceMs = 0;
  for (let scrape = 0; scrape < SCRAPES; scrape++) {
    lines = 0;
    const startedAt = thread.ranMs;
    let sliceAt = startedAt;
    for (const piece of metrics.read()) {
      Buffer.byteLength(piece); // it is written
      const now = thread.ranMs;
      if (scrape > 5) worstSliceMs = Math.max(worstSliceMs, now - sliceAt);
      for (let at = piece.indexOf("\n"); at >= 0; at = piece.indexOf("\n", at + 1)) lines++;
      sliceAt = thread.ranMs;
    }
    if (scrape > 5) totals.push(thread.ranMs - startedAt); // V8 has seen it
  }
  engine.close();
  return { idleMb, lines, totalMs: spread(totals).median, worstTotalMs: Math.max(...totals), worstSliceMs };
}

if (process.argv[2] === "measure" && process.send !== undefined) {
  process.send(await measure(Number(process.argv[3])));
  process.disconnect();
}
