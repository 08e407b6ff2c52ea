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
import type { Form, Scenario } from "./scenario/scenario.js";
import { standstills } from "./scenario/standstill.js";
import { Stage } from "./stage.js";

/** @param apart one after the other */
export async function answers(
  form: Form,
  apart: boolean,
  only = /./,
  onVerdict?: OnVerdict,
): Promise<readonly Verdict[]> {
  await using stage = await Stage.open({ backends: 2, policy: guarded(form.perSecond, form.patience) });
  const caller = await stage.startCaller();
  const wanted = ({ name }: Scenario): boolean => only.test(name);
  const scenarios = badAnswers(form).filter(wanted);
  const bad = await (apart ? inTurn(stage, caller, scenarios, onVerdict) : atOnce(stage, caller, scenarios));
  return [...bad, ...(await inTurn(stage, caller, standstills(form).filter(wanted), onVerdict))];
}

type OnVerdict = (verdict: Verdict) => void;

/** So that some requests are under way when a process goes, in ms. */
const WORK_MS = 60;

export async function endpoints(form: Form, only = /./, onVerdict?: OnVerdict): Promise<readonly Verdict[]> {
  await using stage = await Stage.open({
    backends: 3,
    policy: guarded(form.perSecond, form.patience),
    work: { workMs: WORK_MS },
  });
  const scenarios = [...deadEndpoints(form), rollingRestart(form)].filter(({ name }) => only.test(name));
  return await inTurn(stage, await stage.startCaller(), scenarios, onVerdict);
}

/** One after the other, for figures. @param only scenarios with such names @param onVerdict each as it ends */
export async function inFull(form: Form, only: RegExp, onVerdict: OnVerdict): Promise<readonly Verdict[]> {
  return [...(await endpoints(form, only, onVerdict)), ...(await answers(form, true, only, onVerdict))];
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

export async function recoveries(afterSeconds: number, only: RegExp): Promise<readonly Recovery[]> {
  const all: Recovery[] = [];
  for (const [index, { name }] of METASTABLE.entries()) {
    if (!only.test(name)) continue;
    for (const guarded of [true, false]) all.push(await recovery(index, { guarded, afterSeconds }));
  }
  return all;
}
