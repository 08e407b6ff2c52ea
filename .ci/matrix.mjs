// `npm run matrix`: what takes longer.

import { runRounds } from "./rounds.mjs";

/** These start processes that want the machine for themselves. */
const ALONE = ["conformance", "e2e", "chaos"];
/** Minutes of a control plane, and restarts beside it: one mostly waits, and neither judges how long anything takes. */
const PAIR = ["frameworks", "xds"];

const filters = (sign, names) => names.map((name) => `--filter=${sign}@inmesh-test/${name}`).join(" ");
const turbo = (concurrency, which) =>
  `turbo run matrix --concurrency=${concurrency} ${which} --continue --output-logs=new-only --log-order=grouped`;

runRounds(
  [turbo(2, filters("!", [...ALONE, ...PAIR])), turbo(2, filters("", PAIR)), turbo(1, filters("", ALONE))],
  "matrix-results.json",
);
