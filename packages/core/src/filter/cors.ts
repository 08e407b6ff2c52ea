/** corsPolicy: answers preflights. The headers of other answers are response operations of the call. */

import { preflightAnswer } from "../call/cors.js";
import type { Stage } from "../stack/stack.js";

export const cors: Stage = {
  role: "cors",
  describe: "answers a browser's preflight from an origin the rule allows",
  make({ cors: policy }) {
    if (policy === undefined) return undefined;
    return {
      parameters: policy.allowMethods === "" ? "origins" : `origins, ${policy.allowMethods}`,
      call: (next) => (call) => {
        const headers = preflightAnswer(policy, call);
        if (headers === undefined) next(call);
        else call.reply(200, headers, undefined);
      },
    };
  },
};
