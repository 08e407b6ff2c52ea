/** All faults. */

import { guarded } from "./policy.js";
import { atOnce, fairly, inTurn, type Verdict } from "./run-scenarios.js";
import { badAnswers } from "./scenario/bad-answers.js";
import { deadEndpoints } from "./scenario/dead-endpoint.js";
import {
  METASTABLE,
  type MetastableForm,
  metastablePolicy,
  type Recovery,
  watchRecovery,
} from "./scenario/metastable.js";
import { rollingRestart } from "./scenario/rolling-restart.js";
import type { Form } from "./scenario/scenario.js";
import { standstills } from "./scenario/standstill.js";
import { Stage } from "./stage.js";

export async function answers(form: Form, apart: boolean): Promise<readonly Verdict[]> {
  await using stage = await Stage.open({ backends: 2, policy: guarded(form.perSecond, form.patience) });
  const caller = await stage.startCaller();
  const scenarios = badAnswers(form);
  const bad = await (apart ? inTurn : atOnce)(stage, caller, scenarios);
  return [...bad, ...(await inTurn(stage, caller, standstills(form)))];
}

export async function endpoints(form: Form): Promise<readonly Verdict[]> {
  await using stage = await Stage.open({ backends: 3, policy: guarded(form.perSecond, form.patience) });
  return await inTurn(stage, await stage.startCaller(), [...deadEndpoints(form), rollingRestart(form)]);
}

/** One after the other, for figures. */
export async function inFull(form: Form): Promise<readonly Verdict[]> {
  return [...(await endpoints(form)), ...(await answers(form, true))];
}

/** Side by side, for time. */
export async function inShort(form: Form): Promise<readonly Verdict[]> {
  // Six loads of bad answers run at once.
  return (await Promise.all([endpoints(form), answers({ ...form, perSecond: 20 }, false)])).flat();
}

/** One case, on a stage of its own. @param index of METASTABLE */
export function recovery(index: number, form: MetastableForm): Promise<Recovery> {
  const metastable = METASTABLE[index]!; // in range
  return fairly(async () => {
    const policy = metastablePolicy(form.guarded);
    await using stage = await Stage.open({ backends: 1, policy, work: metastable.work });
    return await watchRecovery(stage, metastable, form);
  });
}

export async function recoveries(afterSeconds: number): Promise<readonly Recovery[]> {
  const all: Recovery[] = [];
  for (const index of METASTABLE.keys()) {
    for (const guarded of [true, false]) all.push(await recovery(index, { guarded, afterSeconds }));
  }
  return all;
}
