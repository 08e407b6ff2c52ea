/** What fuzz-thread.ts runs of a parser: mutates, judges, keeps what is new. */

import type { FuzzReport, FuzzThreadData } from "../fuzzer.js";
import { InputMutator } from "./input-mutator.js";
import { TARGETS } from "./targets.js";

const MAX_FAILURES = 10;
const SHARED = [Object.prototype, Array.prototype, Function.prototype, String.prototype];
const KEYS = SHARED.map((prototype) => Reflect.ownKeys(prototype).length);

export async function fuzzInputs(name: string, { cases, seed, progress }: FuzzThreadData): Promise<FuzzReport> {
  const load = TARGETS[name];
  if (load === undefined) throw new Error(`"${name}" is none of ${Object.keys(TARGETS).join(", ")}`);
  const target = await load();
  const mutator = new InputMutator(target, seed);
  const failures: string[] = [];
  let [done, valid] = [0, 0];
  const judge = async (input: Uint8Array): Promise<void> => {
    let fault: string | undefined;
    try {
      const answer = target.judge(input);
      const verdict = answer instanceof Promise ? await answer : answer;
      fault = verdict.fault;
      if (verdict.accepted) valid += 1;
      mutator.learn(input, `${verdict.accepted} ${verdict.said}`);
    } catch (error) {
      fault = error instanceof Error ? `${error.stack}` : `thrown: ${String(error)}`;
    }
    if (SHARED.some((prototype, index) => Reflect.ownKeys(prototype).length !== KEYS[index])) {
      fault = "a prototype was changed";
    }
    if (fault !== undefined) failures.push(`${name}, case ${done} of seed ${seed}: ${fault}\n${shown(input)}`);
  };
  for (const input of target.seeds) await judge(input);
  if (valid < target.seeds.length) failures.push(`${name}: a seed is refused`);
  for (valid = 0; done < cases && failures.length < MAX_FAILURES; done++) {
    Atomics.store(progress, 0, done);
    await judge(mutator.next());
  }
  return { failures, done, valid, problems: done - valid };
}

/** As a literal that a test can take. */
function shown(input: Uint8Array): string {
  return `Buffer.from("${Buffer.from(input).toString("base64")}", "base64") ${JSON.stringify(Buffer.from(input).toString("latin1").slice(0, 400))}`;
}
