// `npm test`

import { runRounds } from "./rounds.mjs";

// What `dependsOn` of turbo.json says of these tasks is their order: nothing needs what another one made. The three suites of the
// first round that take longest begin it, so that none of them is left at the end with a CPU beside it that has no work.
runRounds(
  [
    // Half of what a suite takes it waits, for processes and timers: two at a time leave two CPUs a third of their time.
    "lint test --concurrency=3 --continue --output-logs=new-only --log-order=grouped",
    // Each of these starts a dozen processes that want the machine for themselves: beside each other they were seen to fail.
    "e2e --concurrency=1 --continue --output-logs=new-only --log-order=grouped",
  ],
  "test-results.json",
);
