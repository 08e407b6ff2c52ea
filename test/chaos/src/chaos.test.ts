import { beforeAll, expect, it } from "vitest";
import { inShort, recovery } from "./chaos.js";
import { printRecoveries, printVerdicts } from "./report.js";
import { isBreathless, type Verdict } from "./run-scenarios.js";
import type { Recovery } from "./scenario/metastable.js";

// `npm run chaos` is the same in full. Everything runs side by side here, so only counts are judged, no times.
const FORM = { perSecond: 50, seconds: 3, patience: 2 };
const AFTER_SECONDS = 4;

let verdicts: readonly Verdict[];
let recoveries: readonly Recovery[];
let unprotected: Recovery;

beforeAll(async () => {
  const guarded = (index: number) => recovery(index, { guarded: true, afterSeconds: AFTER_SECONDS });
  const inTurn = async () => [await guarded(1), await guarded(2)];
  const storm = async () => [await guarded(0), await recovery(0, { guarded: false, afterSeconds: 3 })] as const;
  verdicts = await inShort(FORM, async () => {
    const [storms, others] = await Promise.all([storm(), inTurn()]);
    recoveries = [storms[0], ...others];
    unprotected = storms[1];
  });
  console.log(`${printVerdicts(verdicts)}\n${printRecoveries([...recoveries, unprotected])}`);
});

/**
 * What does not hold, a line each. Where the machine let a caller wait for its turn for too long, twice, counts say nothing of the mesh:
 * that is said aloud. What must never happen is judged on any machine.
 */
function brokenOf(judged: readonly (Verdict | Recovery)[]): string {
  const lines = judged.flatMap(({ tally, broken, never }) => {
    if (broken.length === never.length || !isBreathless(tally)) return broken.map((each) => `${tally.name}: ${each}`);
    console.warn(`not judged, the machine stood still for ${Math.round(tally.lateMs)} ms: ${tally.name}: ${broken}`);
    return never.map((each) => `${tally.name}: ${each}`);
  });
  return lines.join("\n");
}

it("a dead endpoint, bad answers, stalls and a rolling restart cost what policy says and nothing else", () => {
  expect(verdicts).toHaveLength(12);
  expect(brokenOf(verdicts)).toBe("");
});

it("goodput is back within 10 s when what overloaded the service is gone", () => {
  expect(brokenOf(recoveries)).toBe("");
});

it("without protection it is not: the overload is one that stays", () => {
  expect(unprotected.backAfterMs).toBeUndefined();
});
