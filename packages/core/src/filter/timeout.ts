/** The route's timeout: the whole exchange with all retries and back-off (policy-semantics §1.7). */

import type { Stage } from "../stack/stack.js";

export const timeout: Stage = {
  role: "timeout",
  describe: "limits the whole exchange, retries and waits included",
  make({ timeoutMs }, { wheel }) {
    if (timeoutMs === 0) return undefined;
    return {
      parameters: `${timeoutMs} ms`,
      call: (next) => (call) => {
        const at = call.readyAt + timeoutMs;
        if (at < call.deadlineAt) {
          call.deadlineAt = at;
          call.deadlineInherited = false;
          wheel.add(call, at);
        }
        next(call);
      },
    };
  },
};
