/** Steered by a real go-control-plane: this mesh beside @grpc/grpc-js-xds, by CPU per call and by memory. */

import { fileURLToPath } from "node:url";
import { AdsServer } from "@inmesh-test/xds/ads-server";
import { findGoPeer } from "@inmesh-test/xds/find-go-peers";
import type { MemoryResult } from "../case/run-grpc-xds-case.js";
import { startGrpcUpstream } from "../lib/grpc-upstream.js";
import type { PairedRow } from "../lib/paired.js";
import { measureApart, PINNING } from "../lib/pinned.js";
import { type Report, type Row, show } from "../lib/table.js";
import { xdsWorld } from "../lib/xds-world.js";

const RUNNER = fileURLToPath(new URL("../case/run-grpc-xds-case.js", import.meta.url));
const SERVICES = 1_000;

export async function grpcXds(): Promise<Report> {
  const bench = "gRPC steered by go-control-plane";
  const binary = findGoPeer("ads", "what a control plane's clients cost");
  if (binary === undefined) return { bench, rows: [], notes: ["SKIPPED: no go-control-plane"] };
  const upstream = await startGrpcUpstream();
  const server = await AdsServer.start(binary);
  try {
    await server.set("1", xdsWorld(SERVICES, upstream.port));
    const where = [server.address, String(upstream.port)];
    const rows: Row[] = [];
    for (const { name, cpuUs, ratio, addedUs } of await measureApart<readonly PairedRow[]>(RUNNER, ["unary", ...where]))
      rows.push({
        what: `unary call, 865 B both ways: ${name}`,
        "CPU us": show(cpuUs, 1),
        ratio: show(ratio, 3),
        "added us": show(addedUs, 1),
      });
    for (const [who, name] of [
      ["bare", "bare grpc-js, no control plane"],
      ["theirs", "@grpc/grpc-js-xds"],
      ["ours", "inmesh, profile grpc"],
    ] as const) {
      const args = ["memory", ...where, who, String(SERVICES)];
      const { heapMb, rssMb } = await measureApart<MemoryResult>(RUNNER, args);
      rows.push({
        what: `${SERVICES} services called once each: ${name}`,
        "heap MB": heapMb.toFixed(1),
        "resident MB": rssMb.toFixed(1),
      });
    }
    const goals = "goal: unary <= 0.9 of @grpc/grpc-js-xds";
    return { bench, rows, notes: [goals, "median and quartiles of paired slices", PINNING] };
  } finally {
    await server[Symbol.asyncDispose]();
    upstream.stop();
  }
}
