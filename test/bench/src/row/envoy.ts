/** inmesh in two processes beside an Envoy beside each: CPU of all processes per request, and latency, at a fixed rate. */

import { fileURLToPath } from "node:url";
import { findEnvoy } from "@inmesh-test/identity/peer";
import type { HopsResult, WayResult } from "../hops/run.js";
import { measureApart } from "../lib/pinned.js";
import { COUNTS_CPU } from "../lib/process-cpu.js";
import { quantile, spread } from "../lib/stats.js";
import { type Report, type Row, show } from "../lib/table.js";

const RUNNER = fileURLToPath(new URL("../hops/run.js", import.meta.url));
const GOAL = "goal: inmesh adds <= 1/20 of the CPU that two Envoys add";

export async function envoy(): Promise<Report> {
  const bench = "two services, 865 B JSON, at a fixed rate: inmesh in both, or an Envoy beside each";
  if (!COUNTS_CPU) return { bench, rows: [], notes: ["SKIPPED: this system has no /proc/PID/schedstat"] };
  const binary = findEnvoy("what two Envoys add, beside what inmesh adds");
  if (binary === undefined) return { bench, rows: [], notes: ["SKIPPED: no Envoy"] };
  const { loads, envoysMb } = await measureApart<HopsResult>(RUNNER, [binary]);
  return {
    bench,
    rows: loads.flatMap(({ name, ways }) => [{ what: `${name}:` }, ...ways.map((way) => row(way, ways[0]!))]),
    notes: [
      GOAL,
      "the Envoys have no TLS: what inmesh adds is compared in plaintext",
      ...loads.map(({ name, ways }) => `${name}: ${share(ways)}`),
      `the two Envoys hold ${envoysMb.toFixed(0)} MB`,
      "median and quartiles of paired slices; us of CPU in all threads of client, server and Envoys (schedstat)",
      "client and its Envoy on one CPU, server and its Envoy on the other, where there is taskset",
    ],
  };
}

function row({ name, cpuUs, tookUs }: WayResult, bare: WayResult): Row {
  const added = (part: (cpu: readonly [number, number, number]) => number) =>
    spread(cpuUs.map((cpu, round) => part(cpu) - part(bare.cpuUs[round]!))); // as many rounds
  const sorted = [...tookUs].sort((a, b) => a - b);
  return {
    what: name,
    "CPU us/request": show(spread(cpuUs.map(sum)), 0),
    "added us": show(added(sum), 1),
    "of it client": added(([client]) => client).median.toFixed(1),
    server: added(([, server]) => server).median.toFixed(1),
    Envoys: added(([, , envoys]) => envoys).median.toFixed(1),
    "p50 us": quantile(sorted, 0.5).toFixed(0),
    "p99 us": quantile(sorted, 0.99).toFixed(0),
  };
}

/** How much of what the Envoys add inmesh adds, and, as the noise below which nothing may be claimed, bare beside bare. */
function share([bare, again, inmesh, envoys]: readonly WayResult[]): string {
  const added = (way: WayResult) => way.cpuUs.map((cpu, round) => sum(cpu) - sum(bare!.cpuUs[round]!)); // as many rounds
  const [noise, ours, theirs] = [added(again!), added(inmesh!), added(envoys!)]; // the first four ways
  const ofTheirs = (values: readonly number[]) => show(spread(values.map((value, round) => value / theirs[round]!)), 3);
  const times = spread(theirs).median / spread(ours).median;
  return `inmesh adds ${ofTheirs(ours)} of what the Envoys add, A/A ${ofTheirs(noise)}; by the medians 1/${times.toFixed(1)}`;
}

function sum([client, server, envoys]: readonly [number, number, number]): number {
  return client + server + envoys;
}
