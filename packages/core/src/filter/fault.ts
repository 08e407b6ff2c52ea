/** Injected delay and abort: two independent draws per request, delay first (policy-semantics §1.8). */

import { MeshError } from "../errors.js";
import type { Stage } from "../stack/stack.js";

export const fault: Stage = {
  role: "fault",
  describe: "delays or aborts a share of the requests on purpose",
  make({ fault: policy, name }, { clock, random }) {
    if (policy === undefined || (policy.delayRatio === 0 && policy.abortRatio === 0)) return undefined;
    const { delayRatio, delayMs, abortRatio, abortStatus, abortGrpcStatus } = policy;
    return {
      parameters: `delay ${delayMs} ms of ${delayRatio * 100}%, abort ${abortGrpcStatus ?? abortStatus} of ${abortRatio * 100}%`,
      call: (next) => (call) => {
        const abort = abortRatio > 0 && random.next() < abortRatio;
        const goOn = (): void => {
          if (!abort) return next(call);
          call.fault = -1;
          call.fail(
            new MeshError(
              "FAULT_ABORTED",
              `rule "${name}" aborts ${abortRatio * 100}% of its requests with ${abortGrpcStatus ?? abortStatus}`,
              {
                route: name,
                status: abortStatus === 0 ? 200 : abortStatus,
              },
            ),
          );
        };
        if (delayRatio === 0 || random.next() >= delayRatio) return goOn();
        call.fault = delayMs;
        const timer = clock.hold(delayMs, () => {
          call.cancelWait = undefined;
          goOn();
        });
        call.cancelWait = () => timer.cancel();
      },
    };
  },
};
