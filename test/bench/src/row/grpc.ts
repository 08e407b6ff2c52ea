/** Calls of gRPC over real sockets, the server in another process: CPU of the calling process per call, paired slices. */

import { fileURLToPath } from "node:url";
import type { PairedRow } from "../lib/paired.js";
import { measureApart, PINNING } from "../lib/pinned.js";
import { type Report, type Row, show } from "../lib/table.js";

const RUNNER = fileURLToPath(new URL("../case/run-grpc-case.js", import.meta.url));

export async function grpc(): Promise<Report> {
  const rows: Row[] = [];
  for (const [kind, what] of [
    ["unary", "unary call, 865 B both ways, 16 in flight"],
    ["stream", "message of a stream from the server, 865 B"],
  ] as const) {
    for (const { name, cpuUs, ratio, addedUs } of await measureApart<readonly PairedRow[]>(RUNNER, [kind])) {
      rows.push({
        what: `${what}: ${name}`,
        "CPU us": show(cpuUs, 1),
        ratio: show(ratio, 3),
        "added us": show(addedUs, 1),
      });
    }
  }
  const goal = "goal: unary <= 1.05 of bare grpc-js, messages of streams <= 1.02";
  return { bench: "gRPC", rows, notes: [goal, "median and quartiles of paired slices", PINNING] };
}
