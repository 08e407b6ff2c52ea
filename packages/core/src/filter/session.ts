/** Finds the session of a request and with it the endpoint, before a destination is drawn: a session outranks weights. */

import type { SessionPolicy } from "@inmesh/model";
import type { Call } from "../call/call.js";
import { CallSession, MarkedEndpoints, readMark } from "../call/call-session.js";
import { cookieOf } from "../call/request-hash.js";
import type { Stage } from "../stack/stack.js";

export const session: Stage = {
  role: "session",
  describe: "leads a request to the endpoint of its session",
  make({ action, session: policy }, { clock, clusters }) {
    if (policy === undefined || action.kind !== "forward") return undefined;
    const endpoints = new MarkedEndpoints();
    const { destinations } = action;
    const named = destinations.some(({ forRequest }) => forRequest !== undefined);
    return {
      parameters: `${policy.kind} ${policy.name}`,
      call: (next) => (call) => {
        const nowS = Math.floor(clock.wallTime() / 1_000);
        const text = textOf(call, policy);
        const brought = text === undefined ? undefined : readMark(text, policy, nowS);
        const snapshot = call.snapshot!; // pinned by the engine
        const possible = named ? destinations.map((each) => each.forRequest?.(call) ?? each) : destinations;
        call.session = new CallSession(policy, brought, nowS, endpoints, possible, ({ cluster }) =>
          clusters.get(snapshot, cluster),
        );
        next(call);
      },
    };
  },
};

function textOf(call: Call, { kind, name }: SessionPolicy): string | undefined {
  if (kind === "cookie") return cookieOf(call.header("cookie"), name);
  const value = call.header(name);
  return typeof value === "string" ? value : value?.[0];
}
