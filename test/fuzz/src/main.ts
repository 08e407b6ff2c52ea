/** `npm run fuzz -- [--cases 1000000] [--seed N]` */

import { parseArgs } from "node:util";
import { fuzz } from "./fuzzer.js";

const { values } = parseArgs({ options: { cases: { type: "string", default: "1000000" }, seed: { type: "string" } } });
const cases = Number(values.cases);
const seed = Number(values.seed ?? Date.now() % 2 ** 31);
if (!(cases >= 1) || !Number.isInteger(seed)) {
  console.error("fuzz: --cases is a number from 1, --seed a whole number");
  process.exit(2);
}
const onProgress = (done: number) => console.error(`${done} of ${cases}`);
const { failures, done, valid, problems } = await fuzz({ cases, seed, onProgress });
for (const failure of failures) console.log(`${failure}\n`);
console.log(
  `seed ${seed}: ${done} texts, ${valid} valid documents, ${problems} problems told, ${failures.length} failures`,
);
if (failures.length > 0) process.exitCode = 1;
