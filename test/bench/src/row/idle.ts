/** What a thousand clusters cost that were called once and are not called any more, with every mechanism on. */

import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { Call, Engine, SnapshotStore } from "@inmesh/core";
import { measureApart } from "../lib/pinned.js";
import { resources, snapshot, workloads } from "../lib/policy.js";
import { spread } from "../lib/stats.js";
import type { Report } from "../lib/table.js";
import { nullExchange } from "./pipeline.js";

const CLUSTERS = 1_000;
const ENDPOINTS = 2;
/** What watches attempts goes on for two seconds after the last one. */
const SETTLED_MS = 3_000;
/** Seconds after it was busy V8 collects garbage once more, which is in one or two of these. */
const SLICES = process.argv[3] === "bare" ? 1 : 7;
const SLICE_MS = 3_000;
const ALL = '"*.shop.svc.cluster.local"';
const POLICY = `apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: { name: all, namespace: shop }
spec:
  host: ${ALL}
  trafficPolicy:
    connectionPool: { http: { http2MaxRequests: 1000 } }
    outlierDetection: { interval: 1s }
    retryBudget: { percent: 20 }
---
apiVersion: inmesh.dev/v1alpha1
kind: CircuitBreaker
metadata: { name: all, namespace: shop }
spec: { host: ${ALL} }
---
apiVersion: inmesh.dev/v1alpha1
kind: Resilience
metadata: { name: all, namespace: shop }
spec: { host: ${ALL}, retry: { percent: 20 } }
`;

interface Measured {
  readonly knownMb: number;
  readonly calledMb: number;
  readonly cpuShare: number;
}

export async function idle(): Promise<Report> {
  const module = fileURLToPath(import.meta.url);
  const { knownMb, calledMb, cpuShare } = await measureApart<Measured>(module, ["measure"]);
  const bare = await measureApart<Measured>(module, ["measure", "bare"]);
  return {
    bench: `${CLUSTERS} clusters of ${ENDPOINTS} endpoints, limits, budgets, outlier detection and a breaker each`,
    rows: [
      { what: "heap, known", figure: `${knownMb.toFixed(1)} MB` },
      { what: "heap added by one call to each", figure: `${calledMb.toFixed(1)} MB` },
      { what: "of that without any policy", figure: `${bare.calledMb.toFixed(1)} MB` },
      {
        what: `CPU while idle, median of ${SLICES} times ${SLICE_MS / 1_000} s`,
        figure: `${(cpuShare * 100).toFixed(3)} %`,
      },
    ],
    notes: ["goal: the clusters that were called <= 10 MB, < 0.1 % of a CPU"],
  };
}

if (process.argv[2] === "measure" && process.send !== undefined) {
  const before = heapMb();
  const store = new SnapshotStore();
  const engine = new Engine({ store });
  const names = Array.from({ length: CLUSTERS }, (_, index) => `service-${index}`);
  store.publish(
    snapshot(
      resources(process.argv[3] === "bare" ? "" : POLICY),
      names.flatMap((name) => workloads(name, ENDPOINTS)),
    ),
  );
  const known = heapMb();
  for (const name of names) engine.start(new Call(nullExchange, "GET", "http", name, 80, name, "/", []));
  const called = heapMb();
  await sleep(SETTLED_MS);
  const shares: number[] = [];
  for (let slice = 0; slice < SLICES; slice++) {
    const cpu = process.cpuUsage();
    const startedAt = performance.now();
    await sleep(SLICE_MS);
    const { user, system } = process.cpuUsage(cpu);
    shares.push((user + system) / 1_000 / (performance.now() - startedAt));
  }
  const cpuShare = spread(shares).median;
  engine.close();
  process.send({ knownMb: known - before, calledMb: called - known, cpuShare } satisfies Measured);
  process.disconnect();
}

function heapMb(): number {
  for (let turn = 0; turn < 3; turn++) (globalThis as { gc?: () => void }).gc?.();
  return process.memoryUsage().heapUsed / 2 ** 20;
}
