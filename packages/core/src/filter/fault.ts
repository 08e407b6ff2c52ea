/** Injected delay and abort: two independent draws per request, delay first (policy-semantics §1.8). */

import { percentOf } from "../call/percent.js";
import { MeshError } from "../errors.js";
import type { Stage } from "../stack/stack.js";
import { enterCluster } from "./destination.js";

export const fault: Stage = {
  role: "fault",
  describe: "delays or aborts a share of the requests on purpose",
  make({ fault: policy, name, action }, engine) {
    if (policy === undefined || (policy.delayRatio === 0 && policy.abortRatio === 0)) return undefined;
    const { clock, random } = engine;
    const { delayRatio, delayMs, abortRatio, abortStatus, abortGrpcStatus } = policy;
    const status = abortGrpcStatus ?? abortStatus;
    return {
      parameters: `delay ${delayMs} ms of ${percentOf(delayRatio)}%, abort ${status} of ${percentOf(abortRatio)}%`,
      call: (next) => (call) => {
        const abort = abortRatio > 0 && random.next() < abortRatio;
        const goOn = (): void => {
          if (!abort) return next(call);
          call.fault = -1;
          // It would have gone there: the failure shows where people look for it.
          if (action.kind === "forward") enterCluster(call, action, engine);
          call.fail(
            new MeshError(
              "FAULT_ABORTED",
              `rule "${name}" aborts ${percentOf(abortRatio)}% of its requests with ${status} on purpose. The call was not sent. See: inmesh routes ${call.host}`,
              { route: name, status: abortStatus === 0 ? 200 : abortStatus },
            ),
          );
        };
        if (delayRatio === 0 || random.next() >= delayRatio) return goOn();
        call.fault = delayMs;
        call.faultMs = delayMs;
        const timer = clock.hold(delayMs, () => {
          call.cancelWait = undefined;
          call.readyAt = clock.now();
          goOn();
        });
        call.cancelWait = () => timer.cancel();
      },
    };
  },
};
