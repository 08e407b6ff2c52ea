/**
 * `npm run simulate -- [--seeds 1000] [--from 1] [--duration 2000]`, or `-- --seed 17 [--trace]` for one of them with what
 * happened in it. A duration of its own, in simulated ms, makes another run of a seed.
 */

import { parseArgs } from "node:util";
import { type SimulationReport, simulate } from "@inmesh/testing";

const DURATION_MS = 2_000;

const { values } = parseArgs({
  options: {
    seeds: { type: "string", default: "1000" },
    from: { type: "string", default: "1" },
    seed: { type: "string" },
    duration: { type: "string", default: String(DURATION_MS) },
    trace: { type: "boolean", default: false },
  },
});
const [count, from] =
  values.seed === undefined ? [Number(values.seeds), Number(values.from)] : [1, Number(values.seed)];
const durationMs = Number(values.duration);
if (!(count >= 1) || !(durationMs >= 1) || !Number.isInteger(count) || !Number.isInteger(from)) {
  console.error("simulate: --seeds and --duration are whole numbers from 1, --from and --seed are whole numbers");
  process.exit(2);
}

Error.stackTraceLimit = 0; // nobody reads the stacks of failures that are made on purpose
const startedAt = performance.now();
let [failed, calls, successes, attempts] = [0, 0, 0, 0];
for (let seed = from; seed < from + count; seed++) {
  const report = await simulate(seed, { durationMs });
  if (values.trace) for (const line of report.trace) console.log(line);
  if (report.violations.length > 0) print(report);
  if (report.violations.length > 0) failed += 1;
  calls += report.calls;
  successes += report.successes;
  attempts += report.attempts;
}
const seconds = ((performance.now() - startedAt) / 1_000).toFixed(1);
console.log(
  `seeds ${from} to ${from + count - 1}: ${calls} calls, ${successes} of them good, ${attempts} attempts, ${seconds} s; ${failed} seeds failed`,
);
if (failed > 0) process.exitCode = 1;

function print({ seed, violations }: SimulationReport): void {
  console.log(`seed ${seed} failed:`);
  for (const { at, invariant, message } of violations) console.log(`  ${at.toFixed(3)} ms  ${invariant}: ${message}`);
  console.log(
    `  replay it: npm run simulate -- --seed ${seed}${durationMs === DURATION_MS ? "" : ` --duration ${durationMs}`} --trace\n`,
  );
}
