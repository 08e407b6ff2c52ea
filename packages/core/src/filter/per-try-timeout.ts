/** perTryTimeout: each attempt, the first included, until the head of its answer (policy-semantics §1.7). */

import type { Stage } from "../stack/stack.js";

export const perTryTimeout: Stage = {
  role: "perTryTimeout",
  describe: "limits one attempt until its answer begins",
  make({ retry: { perTryTimeoutMs }, timeoutMs }, { wheel }) {
    // Envoy ignores one that the route's timeout would overtake anyway.
    if (perTryTimeoutMs === 0 || (timeoutMs > 0 && perTryTimeoutMs >= timeoutMs)) return undefined;
    return {
      parameters: `${perTryTimeoutMs} ms`,
      attempt: (next) => (attempt) => {
        wheel.add(attempt, attempt.startedAt + perTryTimeoutMs);
        next(attempt);
      },
    };
  },
};
