/** `npm run chaos -- [faults|metastable|compare|consul|identity|crowd …] [--per-second 500] [--seconds 20] [--patience 1] [--after 12] [--only REGEX] [--callers 200]` */

import { parseArgs } from "node:util";
import { findConsul } from "@inmesh-test/consul/peer";
import { inFull, recoveries } from "./chaos.js";
import { compare, printCompared, writePage } from "./compare.js";
import { printQuorumStory } from "./consul/print.js";
import { quorumStory } from "./consul/quorum-story.js";
import { crowdStory, printCrowdStory } from "./crowd/crowd-story.js";
import { identityStories, printIdentityStory } from "./identity/run-identity.js";
import { printRecoveries, printVerdicts } from "./report.js";

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    "per-second": { type: "string", default: "500" },
    seconds: { type: "string", default: "20" },
    patience: { type: "string", default: "1" },
    only: { type: "string", default: "." },
    after: { type: "string", default: "12" },
    callers: { type: "string", default: "200" },
  },
});
const form = {
  perSecond: Number(values["per-second"]),
  seconds: Number(values.seconds),
  patience: Number(values.patience),
};
/** Four Consuls run beside everything else: what two cores carry. */
const MOST_WITH_CONSUL = 300;
/** All connections are made anew all the time: what two cores carry. */
const MOST_WITH_HANDSHAKES = 300;
const only = new RegExp(values.only, "i");
const parts = positionals.length === 0 ? ["faults", "metastable"] : positionals;
if (!(form.perSecond >= 1) || !(form.seconds >= 2)) usage("--per-second is a number from 1, --seconds one from 2");

let broken = false;
for (const part of parts) {
  if (part === "faults") {
    const verdicts = await inFull(form, only, (verdict) => console.error(printVerdicts([verdict]).split("\n")[2]));
    console.log(printVerdicts(verdicts));
    broken ||= verdicts.some((verdict) => verdict.broken.length > 0);
  } else if (part === "metastable") {
    const seen = await recoveries(Number(values.after), only);
    console.log(printRecoveries(seen));
    broken ||= seen.some((recovery) => recovery.broken.length > 0);
  } else if (part === "compare") {
    const compared = await compare(form);
    console.log(printCompared(compared));
    if (process.env["INMESH_UPDATE_DOCS"] === "1") writePage(compared, form);
  } else if (part === "consul") {
    const binary = findConsul("a registry that loses its leader, its quorum and its memory");
    if (binary === undefined) continue;
    const asked = { perSecond: Math.min(form.perSecond, MOST_WITH_CONSUL), withoutQuorumMs: 15_000 };
    const story = await quorumStory(binary, asked, (event) => console.error(event));
    console.log(printQuorumStory(story, binary));
    broken ||= story.broken.length > 0;
  } else if (part === "identity") {
    const asked = { perSecond: Math.min(form.perSecond, MOST_WITH_HANDSHAKES), renewalsMs: form.seconds * 1_000 };
    const stories = await identityStories(asked, only, (event) => console.error(event));
    for (const story of stories) console.log(printIdentityStory(story));
    broken ||= stories.some((story) => story.broken.length > 0);
  } else if (part === "crowd") {
    const story = await crowdStory({ callers: Number(values.callers), processes: 4 }, (event) => console.error(event));
    console.log(printCrowdStory(story));
    broken ||= story.broken.length > 0;
  } else usage(`"${part}" is none of faults, metastable, compare, consul, identity, crowd`);
}
if (broken) process.exitCode = 1;

function usage(message: string): never {
  console.error(`chaos: ${message}`);
  process.exit(2);
}
