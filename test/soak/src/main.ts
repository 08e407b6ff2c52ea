/** `npm run soak -- [--minutes 60] [--rate 60] [--json FILE] [--leak BYTES]` */

import { writeFileSync } from "node:fs";
import { parseArgs } from "node:util";
import { judge, printReport } from "./report.js";
import { soak } from "./soak.js";

const { values } = parseArgs({
  options: {
    minutes: { type: "string", default: "60" },
    rate: { type: "string", default: "60" },
    json: { type: "string" },
    leak: { type: "string", default: "0" },
  },
});
const [minutes, perSecond, leakBytes] = [values.minutes, values.rate, values.leak].map(Number) as [
  number,
  number,
  number,
];
if (!(minutes >= 1) || !(perSecond >= 1) || !(leakBytes >= 0)) {
  console.error("soak: --minutes and --rate are numbers from 1, --leak is a number of bytes");
  process.exit(2);
}

const onProgress = process.stderr.isTTY ? (text: string) => void process.stderr.write(`\r${text} `) : () => {};
const report = judge(await soak({ minutes, perSecond, leakBytes, onProgress }));
console.log(printReport(report));
const json = JSON.stringify({ minutes, perSecond, node: process.version, ...report });
if (values.json === undefined) console.log(json);
else writeFileSync(values.json, `${json}\n`);
if (report.problems.length > 0) process.exitCode = 1;
