/** Redirects and direct responses: answers that need no upstream. */

import { applyHeaderOps } from "../call/request-edit.js";
import type { Stage } from "../stack/stack.js";

export const localAnswer: Stage = {
  role: "localAnswer",
  describe: "answers with the rule's redirect or direct response",
  make({ action }) {
    if (action.kind === "forward") return undefined;
    return {
      parameters: `${action.kind} ${action.status}`,
      call: () => (call) => {
        let headers: readonly string[] =
          action.kind === "redirect"
            ? ["location", action.location(call)]
            : action.body === undefined
              ? []
              : ["content-type", "text/plain"];
        for (const ops of call.responseOps) headers = applyHeaderOps(headers, ops, call);
        call.reply(action.status, headers, action.kind === "redirect" ? undefined : action.body);
      },
    };
  },
};
