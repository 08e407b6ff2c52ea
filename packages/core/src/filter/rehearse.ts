/** MeshMode observe: what policy would do is worked out beside the call, which goes its plain way (../rehearsal/). */

import type { Stage } from "../stack/stack.js";

export const rehearse: Stage = {
  role: "rehearse",
  describe: "works out what policy would have done, and counts it",
  make({ observed }, { rehearsal }) {
    if (observed !== true) return undefined;
    return {
      parameters: "mode observe",
      call: (next) => (call) => {
        rehearsal.begin(call);
        next(call);
      },
      callEnded: (call) => rehearsal.end(call),
    };
  },
};
