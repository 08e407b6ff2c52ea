/** Copies a share of the requests to other clusters, once per request (policy-semantics §1.9). The work is ../mirror/mirrors.ts. */

import { percentOf } from "../call/percent.js";
import { isMirrored } from "../mirror/mirror-headers.js";
import type { Stage } from "../stack/stack.js";

export const mirror: Stage = {
  role: "mirror",
  describe: "sends copies of a share of the requests elsewhere, whose answers nobody gets",
  make(route, engine) {
    if (route.action.kind !== "forward" || route.mirrors.length === 0) return undefined;
    const { mirrors } = engine;
    const targets = mirrors.targets(route);
    return {
      parameters: route.mirrors
        .map(({ destination, ratio }) => `${percentOf(ratio)}% to ${destination.cluster}`)
        .join(", "),
      call: (next) => (call) => {
        if (isMirrored(call, call.context)) return next(call);
        const copies = mirrors.prepare(call, targets);
        next(call); // the caller's first
        if (copies !== undefined) mirrors.send(call, copies);
      },
    };
  },
};
