/** The thread of fuzzer.ts: mutates, judges, and tells at the end. */

import { setImmediate } from "node:timers/promises";
import { parentPort, workerData } from "node:worker_threads";
import type { FuzzReport, FuzzThreadData } from "./fuzzer.js";
import { fuzzInputs } from "./input/input-thread.js";
import { judge } from "./judge.js";
import { Mutator } from "./mutate.js";
import { readSeeds } from "./seeds.js";

const MAX_FAILURES = 10;
/** Whatever a WeakRef led to is held until the turn of the event loop ends: a loop without turns would fill the memory. */
const CASES_PER_TURN = 100;
const data = workerData as FuzzThreadData;
parentPort?.postMessage(data.target === undefined ? await fuzzDocuments(data) : await fuzzInputs(data.target, data));

async function fuzzDocuments({ cases, seed, progress }: FuzzThreadData): Promise<FuzzReport> {
  const mutator = new Mutator(readSeeds(), seed);
  const failures: string[] = [];
  let [done, valid, problems] = [0, 0, 0];
  while (done < cases && failures.length < MAX_FAILURES) {
    const text = mutator.next();
    Atomics.store(progress, 0, done);
    const judged = judge(text);
    if (judged.faults.length > 0) failures.push(`case ${done} of seed ${seed}: ${judged.faults[0]}\n${text}`);
    valid += judged.valid;
    problems += judged.problems;
    done += 1;
    if (done % CASES_PER_TURN === 0) await setImmediate();
  }
  return { failures, done, valid, problems };
}
