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

type OnVerdict = (verdict: Verdict) => void;

const answeringStage = ({ perSecond, patience }: Form): Promise<Stage> =>
  Stage.open({ backends: 2, policy: guarded(perSecond, patience) });

/** @param apart one after the other */
async function answers(
  stage: Stage,
  form: Form,
  apart: boolean,
  only = /./,
  onVerdict?: OnVerdict,
): Promise<readonly Verdict[]> {
  const caller = await stage.startCaller();
  const wanted = ({ name }: Scenario): boolean => only.test(name);
  const scenarios = badAnswers(form).filter(wanted);
  const bad = await (apart ? inTurn(stage, caller, scenarios, onVerdict) : atOnce(stage, caller, scenarios));
  return [...bad, ...(await inTurn(stage, caller, standstills(form).filter(wanted), onVerdict))];
}

/** So that some requests are under way when a process goes, in ms. */
const WORK_MS = 60;

const endingStage = ({ perSecond, patience }: Form): Promise<Stage> =>
  Stage.open({ backends: 3, policy: guarded(perSecond, patience), work: { workMs: WORK_MS } });

async function endings(stage: Stage, form: Form, only = /./, onVerdict?: OnVerdict): Promise<readonly Verdict[]> {
  const scenarios = [...deadEndpoints(form), rollingRestart(form)].filter(({ name }) => only.test(name));
  return await inTurn(stage, await stage.startCaller(), scenarios, onVerdict);
}

/** One after the other, for figures. @param only scenarios with such names @param onVerdict each as it ends */
export async function inFull(form: Form, only: RegExp, onVerdict: OnVerdict): Promise<readonly Verdict[]> {
  const verdicts: Verdict[] = [];
  {
    await using stage = await endingStage(form);
    verdicts.push(...(await endings(stage, form, only, onVerdict)));
  }
  await using stage = await answeringStage(form);
  return [...verdicts, ...(await answers(stage, form, true, only, onVerdict))];
}

/**
 * Side by side, for time; but processes that start take the whole machine, and nobody is judged meanwhile.
 * @param after the bad answers, beside the endings: those last longer
 */
export async function inShort(form: Form, after: () => Promise<void>): Promise<readonly Verdict[]> {
  const gentle = { ...form, perSecond: 20 }; // six loads of bad answers run at once
  await using answering = await answeringStage(gentle);
  await using ending = await endingStage(form);
  const answered = answers(answering, gentle, false);
  const [ended] = await Promise.all([endings(ending, form), answered.then(after)]);
  return [...ended, ...(await answered)];
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
