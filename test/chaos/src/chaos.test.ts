import { beforeAll, expect, it } from "vitest";
import { inShort, recovery } from "./chaos.js";
import { printBroken, printRecoveries, printVerdicts } from "./report.js";
import type { Verdict } from "./run-scenarios.js";
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
  const [faults, storms, others] = await Promise.all([inShort(FORM), storm(), inTurn()]);
  verdicts = faults;
  recoveries = [storms[0], ...others];
  unprotected = storms[1];
  console.log(`${printVerdicts(verdicts)}\n${printRecoveries([...recoveries, unprotected])}`);
});

it("a dead endpoint, bad answers, stalls and a rolling restart cost what policy says and nothing else", () => {
  expect(verdicts).toHaveLength(12);
  expect(printBroken(verdicts)).toEqual([]);
});

it("goodput is back within 10 s when what overloaded the service is gone", () => {
  expect(recoveries.flatMap(({ name, broken }) => broken.map((each) => `${name}: ${each}`))).toEqual([]);
});

it("without protection it is not: the overload is one that stays", () => {
  expect(unprotected.before).toBeGreaterThan(0.5);
  expect(unprotected.backAfterMs).toBeUndefined();
});
