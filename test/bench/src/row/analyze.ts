/** `inmesh analyze` as a process: 1,000 documents in 100 files, from its start to its last line. */

import { spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { spread } from "../lib/stats.js";
import { type Report, show } from "../lib/table.js";

const ROUNDS = 9;
const FILES = 100;
const INMESH = fileURLToPath(new URL("../../../../packages/cli/bin/inmesh.js", import.meta.url));

export async function analyzeBench(): Promise<Report> {
  const folder = mkdtempSync(join(tmpdir(), "inmesh-bench-"));
  try {
    const mesh = join(folder, "mesh");
    mkdirSync(mesh);
    const empty = join(folder, "empty");
    mkdirSync(empty);
    for (let file = 0; file < FILES; file++) writeFileSync(join(mesh, `team-${file}.yaml`), documents(file));
    const whole = runs(mesh);
    const start = runs(empty);
    return {
      bench: `inmesh analyze, ${FILES * 10} documents in ${FILES} files`,
      rows: [
        { what: "an empty folder", ms: show(spread(start), 0) },
        { what: "the documents", ms: show(spread(whole), 0) },
      ],
      notes: ["goal: <= 2,000 ms, the process's own start included"],
    };
  } finally {
    rmSync(folder, { recursive: true });
  }
}

function runs(mesh: string): readonly number[] {
  return Array.from({ length: ROUNDS }, () => {
    const startedAt = performance.now();
    const { status, stderr } = spawnSync(process.execPath, [INMESH, "analyze", mesh], { encoding: "utf8" });
    // 0: nothing to say, 1: findings.
    if (status !== 0 && status !== 1) throw new Error(`inmesh analyze ended with ${status}: ${stderr}`);
    return performance.now() - startedAt;
  });
}

/** Ten: a service, its subsets and rules, one rule that leads nowhere, and a Sidecar, twice. */
function documents(file: number): string {
  const both = [0, 1].flatMap((half) => {
    const name = `service-${file}-${half}`;
    const host = `${name}.shop.svc.cluster.local`;
    return [
      `kind: ServiceEntry
metadata: {name: ${name}, namespace: shop}
spec:
  hosts: [${host}]
  ports: [{number: 80, name: http, protocol: HTTP}]
  resolution: STATIC
  endpoints:
  - {address: 10.${half}.${file}.1, labels: {version: v1}}
  - {address: 10.${half}.${file}.2, labels: {version: v2}}`,
      `kind: DestinationRule
metadata: {name: ${name}, namespace: shop}
spec:
  host: ${host}
  trafficPolicy: {connectionPool: {tcp: {connectTimeout: 1s}}}
  subsets: [{name: v1, labels: {version: v1}}, {name: v2, labels: {version: v2}}]`,
      `kind: VirtualService
metadata: {name: ${name}, namespace: shop}
spec:
  hosts: [${host}]
  http:
  - match: [{uri: {prefix: /api/}, headers: {x-user: {regex: "[a-z]+"}}}]
    timeout: 5s
    retries: {attempts: 3, retryOn: 5xx}
    route: [{destination: {host: ${host}, subset: v1}, weight: 90}, {destination: {host: ${host}, subset: v2}, weight: 10}]
  - route: [{destination: {host: ${host}, subset: v1}}]`,
      `kind: VirtualService
metadata: {name: ${name}-lost, namespace: shop}
spec:
  hosts: [${name}-lost.example]
  http: [{route: [{destination: {host: ${name}-nobody, subset: v9}}]}]`,
      `kind: Sidecar
metadata: {name: ${name}, namespace: shop}
spec:
  workloadSelector: {labels: {app: ${name}}}
  egress: [{hosts: ["./*"]}]`,
    ];
  });
  return both.map((text) => `apiVersion: networking.istio.io/v1\n${text}\n`).join("---\n");
}
