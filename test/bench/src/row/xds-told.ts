/** A process that a real go-control-plane tells of 1,000 services: this mesh beside @grpc/grpc-js-xds, by memory and by turns. */

import { fileURLToPath } from "node:url";
import { AdsServer } from "@inmesh-test/xds/ads-server";
import { findGoPeer } from "@inmesh-test/xds/find-go-peers";
import type { ToldResult } from "../case/run-xds-told-case.js";
import { measureApart, PINNING } from "../lib/pinned.js";
import type { Report, Row } from "../lib/table.js";
import { xdsWorld } from "../lib/xds-world.js";

const RUNNER = fileURLToPath(new URL("../case/run-xds-told-case.js", import.meta.url));
const SERVICES = 1_000;
const RUNS = 3;

export async function xdsTold(): Promise<Report> {
  const bench = "1,000 services told by go-control-plane, none of them called";
  const binary = findGoPeer("ads", "what a control plane's words cost");
  if (binary === undefined) return { bench, rows: [], notes: ["SKIPPED: no go-control-plane"] };
  const server = await AdsServer.start(binary);
  try {
    const rows: Row[] = [];
    let baseline = 0;
    for (const [who, name] of [
      ["theirs", "@grpc/grpc-js-xds, all four kinds of resources"],
      ["told", "inmesh, profile envoy: the first snapshot (listeners, clusters)"],
      ["used", "inmesh, profile envoy: every service in use (all four kinds)"],
    ] as const) {
      const one = await least(server, who, 1);
      const all = await least(server, who, SERVICES);
      const kb = ((all.heldMb - one.heldMb) * 1_024) / (SERVICES - 1);
      baseline ||= kb;
      rows.push({
        what: name,
        "MB with one": one.heldMb.toFixed(1),
        [`MB with ${SERVICES}`]: all.heldMb.toFixed(1),
        "KB a service": kb.toFixed(1),
        ratio: (kb / baseline).toFixed(2),
        ms: all.ms.toFixed(0),
        // That of one service is the first connection's, which grpc-js makes.
        "longest turn ms, one": one.longestTurnMs.toFixed(1),
        [`longest turn ms, ${SERVICES}`]: all.longestTurnMs.toFixed(1),
      });
    }
    const goals = "goal: no turn over 10 ms, memory <= 1/5 of @grpc/grpc-js-xds";
    const how = `heap and buffers, libraries loaded before; of ${RUNS} runs the least; turns by the main thread's CPU time`;
    return { bench, rows, notes: [goals, how, PINNING] };
  } finally {
    await server[Symbol.asyncDispose]();
  }
}

/** What the machine does meanwhile only ever adds. */
async function least(server: AdsServer, who: string, services: number): Promise<ToldResult> {
  await server.set(`${who} ${services}`, xdsWorld(services, 80));
  const runs: ToldResult[] = [];
  for (let run = 0; run < RUNS; run++)
    runs.push(await measureApart<ToldResult>(RUNNER, [server.address, who, String(services)]));
  const of = (figure: keyof ToldResult): number => Math.min(...runs.map((each) => each[figure]));
  return { heldMb: of("heldMb"), ms: of("ms"), longestTurnMs: of("longestTurnMs") };
}
