import { aborts } from "./group/aborts.js";
import { faults, refused } from "./group/failures.js";
import { plain } from "./group/plain.js";
import { redirects } from "./group/redirects.js";
import { retries } from "./group/retries.js";
import { routes } from "./group/routes.js";
import { splits } from "./group/splits.js";
import { connections, streams } from "./group/streams.js";
import { timeouts } from "./group/timeouts.js";
import type { Group } from "./scenario.js";

/** The manifest. `drain` stands beside it: it takes servers away. */
export const GROUPS: readonly Group[] = [
  plain,
  splits,
  routes,
  redirects,
  retries,
  timeouts,
  refused,
  faults,
  aborts,
  streams,
  connections,
];
