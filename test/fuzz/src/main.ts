/** `npm run fuzz -- [documents|der|jwt|… …] [--cases 1000000] [--seed N]`; without a name all of them, one after the other */

import { parseArgs } from "node:util";
import { fuzz } from "./fuzzer.js";
import { TARGETS } from "./input/targets.js";

const DOCUMENTS = "documents";
const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { cases: { type: "string", default: "1000000" }, seed: { type: "string" } },
});
const cases = Number(values.cases);
const seed = Number(values.seed ?? Date.now() % 2 ** 31);
if (!(cases >= 1) || !Number.isInteger(seed)) usage("--cases is a number from 1, --seed a whole number");
const known = [DOCUMENTS, ...Object.keys(TARGETS)];
for (const name of positionals) if (!known.includes(name)) usage(`"${name}" is none of ${known.join(", ")}`);

for (const name of positionals.length === 0 ? known : positionals) {
  const onProgress = (done: number) => console.error(`${name}: ${done} of ${cases}`);
  const target = name === DOCUMENTS ? undefined : name;
  const { failures, done, valid, problems } = await fuzz({ target, cases, seed, onProgress });
  for (const failure of failures) console.log(`${failure}\n`);
  const found =
    target === undefined
      ? `${done} texts, ${valid} valid documents, ${problems} problems told`
      : `${done} inputs, ${valid} accepted, ${problems} refused`;
  console.log(`${name}, seed ${seed}: ${found}, ${failures.length} failures`);
  if (failures.length > 0) process.exitCode = 1;
}

function usage(message: string): never {
  console.error(`fuzz: ${message}`);
  process.exit(2);
}
