/** Redirects and direct responses: answers that need no upstream. */

import { applyEachHeaderOps } from "../call/request-edit.js";
import type { Stage } from "../stack/stack.js";

export const localAnswer: Stage = {
  role: "localAnswer",
  describe: "answers with the rule's redirect or direct response",
  make({ action }) {
    if (action.kind === "forward") return undefined;
    return {
      parameters: `${action.kind} ${action.status}`,
      call: () => (call) => {
        const headers =
          action.kind === "redirect"
            ? ["location", action.location(call)]
            : action.body === undefined
              ? []
              : ["content-type", "text/plain"];
        const edited = applyEachHeaderOps(headers, call.responseOps, call);
        call.reply(action.status, edited, action.kind === "redirect" ? undefined : action.body);
      },
    };
  },
};
