/** Runs scenarios on a stage and judges them. */

import type { ChaosProcess } from "./chaos-process.js";
import type { ClientKind, FromCaller, ToCaller } from "./messages.js";
import { alwaysBroken, type Scenario } from "./scenario/scenario.js";
import type { Stage } from "./stage.js";
import type { Tally } from "./tally.js";

export interface Verdict {
  readonly tally: Tally;
  readonly broken: readonly string[];
  /** Of these, what may not be on any machine. */
  readonly never: readonly string[];
}

/** Who waits longer than this for a turn, in ms, says more about the machine than about the mesh. */
const BREATHLESS_MS = 150;
const MOST_RUNS = 3;

/** Counts depend on timeouts then, and those on the machine. */
export function isBreathless({ lateMs }: Tally): boolean {
  return lateMs >= BREATHLESS_MS;
}

/** Again when it does not hold and the machine was out of breath. */
export async function fairly<Judged extends { readonly tally: Tally; readonly broken: readonly string[] }>(
  run: (time: number) => Promise<Judged>,
): Promise<Judged> {
  for (let time = 1; ; time++) {
    const judged = await run(time);
    if (judged.broken.length === 0 || !isBreathless(judged.tally) || time === MOST_RUNS) return judged;
  }
}

export async function runScenario(
  stage: Stage,
  caller: Caller,
  scenario: Scenario,
  client: ClientKind = "mesh",
  time = 1,
): Promise<Verdict> {
  const load = { name: `${client}-${time}-${scenario.name.replace(/\W+/g, "-")}`, ...scenario.load };
  const [result] = await Promise.all([stage.run(caller, load, client), scenario.act?.(stage)]);
  const tally = { ...result, name: scenario.name };
  const never = alwaysBroken(tally);
  return { tally, never, broken: [...never, ...scenario.broken(tally), ...stage.takeComplaints()] };
}

type Caller = ChaosProcess<ToCaller, FromCaller>;

/** One after the other; what a scenario took from the stage is replaced before the next. */
export async function inTurn(
  stage: Stage,
  caller: Caller,
  scenarios: readonly Scenario[],
  onVerdict: (verdict: Verdict) => void = () => {},
): Promise<readonly Verdict[]> {
  const verdicts: Verdict[] = [];
  for (const scenario of scenarios) {
    const run = async (time: number): Promise<Verdict> => {
      const verdict = await runScenario(stage, caller, scenario, "mesh", time);
      if (scenario.destroys) await stage.replaceLast();
      return verdict;
    };
    const verdict = await fairly(run);
    onVerdict(verdict);
    verdicts.push(verdict);
  }
  return verdicts;
}

/** All at a time. */
export function atOnce(stage: Stage, caller: Caller, scenarios: readonly Scenario[]): Promise<readonly Verdict[]> {
  return Promise.all(scenarios.map((scenario) => fairly((time) => runScenario(stage, caller, scenario, "mesh", time))));
}
