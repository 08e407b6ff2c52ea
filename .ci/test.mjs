// `npm test`

import { runRounds } from "./rounds.mjs";

runRounds(
  [
    "turbo run lint test --concurrency=2 --continue --output-logs=new-only --log-order=grouped",
    // Each of these starts processes that want the machine for themselves.
    "turbo run e2e --concurrency=1 --continue --output-logs=new-only",
  ],
  "test-results.json",
);
