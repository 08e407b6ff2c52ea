// `npm run matrix`: what takes longer.

import { runRounds } from "./rounds.mjs";

/** These start processes that want the machine for themselves, or hold a control plane to its second. */
const ALONE = ["conformance", "e2e", "chaos", "frameworks", "xds"].map((name) => `@inmesh-test/${name}`);
const only = ALONE.map((name) => `--filter=${name}`).join(" ");
const others = ALONE.map((name) => `--filter=!${name}`).join(" ");

runRounds(
  [
    `matrix --concurrency=2 ${others} --continue --output-logs=new-only --log-order=grouped`,
    `matrix --concurrency=1 ${only} --continue --output-logs=new-only`,
  ],
  "matrix-results.json",
);
