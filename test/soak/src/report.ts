/** Judges a soak, as a table for people and as JSON. */

import { leaks, mean, type Slope, slopeOf } from "./slope.js";
import type { SampledProcess, SoakResult } from "./soak.js";

/** Samples of the first part of a run are left out: code is compiled, pools fill. Share of the run. */
const WARM_UP_RATIO = 0.35;

export interface Verdict {
  readonly name: string;
  readonly samples: number;
  readonly heapBytes: number;
  readonly heapBytesPerMinute: number;
  readonly heapErrorPerMinute: number;
  readonly rssBytes: number;
  /** Means of the first and the last third. */
  readonly sockets: readonly [number, number];
  readonly timers: readonly [number, number];
  readonly exitMs: number | null;
  readonly problems: readonly string[];
}

export interface Report {
  readonly verdicts: readonly Verdict[];
  readonly sent: number;
  readonly answered: number;
  readonly aborted: number;
  readonly failed: number;
  readonly replaced: number;
  readonly changes: number;
  readonly problems: readonly string[];
}

export function judge({ processes, counts, replaced, changes, troubles }: SoakResult): Report {
  const verdicts = processes.map(judgeProcess);
  const problems = [
    ...verdicts.flatMap(({ name, problems: found }) => found.map((each) => `${name}: ${each}`)),
    ...troubles,
    ...(counts.failures.length > 0
      ? [`${counts.failures.length} requests failed: ${counts.failures.slice(0, 5).join("; ")}`]
      : []),
    ...(counts.answered + counts.aborted + counts.failures.length !== counts.sent ? ["requests without an end"] : []),
    ...(counts.answered === 0 ? ["nothing was answered"] : []),
  ];
  const { sent, answered, aborted, failures } = counts;
  return { verdicts, sent, answered, aborted, failed: failures.length, replaced, changes, problems };
}

function judgeProcess({ name, samples: all, active, exitMs }: SampledProcess): Verdict {
  const samples = all.slice(Math.floor(all.length * WARM_UP_RATIO));
  const heap: Slope = slopeOf(samples.map(({ at, heap: value }) => ({ at, value })));
  const sockets = thirds(samples.map((sample) => sample.sockets));
  const timers = thirds(samples.map((sample) => sample.timers));
  const problems: string[] = [];
  if (leaks(heap))
    problems.push(`the heap grows by ${Math.round(heap.perMinute)} ± ${Math.round(2 * heap.error)} bytes/min`);
  if (grows(sockets)) problems.push(`sockets grow from ${sockets[0]} to ${sockets[1]}`);
  if (grows(timers)) problems.push(`timers grow from ${timers[0]} to ${timers[1]}`);
  if (active.length > 0) problems.push(`drained, it still has ${active.join(", ")}`);
  if (exitMs === undefined) problems.push("drained, it did not end by itself");
  return {
    name,
    samples: samples.length,
    heapBytes: heap.median,
    heapBytesPerMinute: Math.round(heap.perMinute),
    heapErrorPerMinute: Math.round(heap.error),
    rssBytes: samples.at(-1)?.rss ?? 0,
    sockets,
    timers,
    exitMs: exitMs ?? null,
    problems,
  };
}

function thirds(values: readonly number[]): readonly [number, number] {
  const third = Math.max(1, Math.floor(values.length / 3));
  return [Math.round(mean(values.slice(0, third))), Math.round(mean(values.slice(-third)))];
}

/** Half as many again, and ten more for the luck of the moment. */
function grows([before, after]: readonly [number, number]): boolean {
  return after > before * 1.5 + 10;
}

export function printReport({ verdicts, problems, ...figures }: Report): string {
  const rows = verdicts.map(
    ({ name, samples, heapBytes, heapBytesPerMinute, heapErrorPerMinute, rssBytes, sockets, timers, exitMs }) => [
      name,
      String(samples),
      mib(heapBytes),
      `${heapBytesPerMinute} ± ${2 * heapErrorPerMinute}`,
      mib(rssBytes),
      sockets.join(" → "),
      timers.join(" → "),
      exitMs === null ? "never" : `${exitMs} ms`,
    ],
  );
  const all = [["process", "samples", "heap", "bytes/min", "rss", "sockets", "timers", "exit"], ...rows];
  const widths = all[0]!.map((_, column) => Math.max(...all.map((row) => row[column]!.length))); // all are as wide
  const table = all.map((row) =>
    row
      .map((cell, column) => cell.padEnd(widths[column]!))
      .join("  ")
      .trimEnd(),
  );
  const { sent, answered, aborted, failed, replaced, changes } = figures;
  return [
    ...table,
    "",
    `${sent} requests: ${answered} answered, ${aborted} given up by their callers, ${failed} failed; ${replaced} replicas replaced, ${changes} changes of policy`,
    ...(problems.length === 0 ? ["no leak, no failure"] : problems.map((problem) => `PROBLEM ${problem}`)),
  ].join("\n");
}

function mib(bytes: number): string {
  return `${(bytes / 1_048_576).toFixed(1)} MiB`;
}
