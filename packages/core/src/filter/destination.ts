/** Draws the weighted destination and finds its cluster: once per request (policy-semantics §1.4). */

import type { Destination, ForwardAction, MatchRequest } from "@inmesh/model";
import type { Call } from "../call/call.js";
import { tlsRefused } from "../call/tls.js";
import { MeshError } from "../errors.js";
import type { Random } from "../runtime/random.js";
import type { Engine } from "../stack/engine.js";
import type { Stage } from "../stack/stack.js";

export const destination: Stage = {
  role: "destination",
  describe: "draws one of the rule's weighted destinations",
  make({ action, name }, engine) {
    if (action.kind !== "forward") return undefined;
    return {
      parameters: action.destinations
        .map(({ cluster, weight }) => `${cluster} ${weight}/${action.totalWeight}`)
        .join(", "),
      call: (next) => (call) => {
        if (enterCluster(call, action, engine)) {
          if (call.cluster!.config.policy.tls.refusal === "") return next(call); // entered just now
          return call.fail(tlsRefused(call.cluster!.config, name));
        }
        const { cluster } = call.destination!; // drawn just now
        call.fail(
          new MeshError(
            "CLUSTER_NOT_FOUND",
            `rule "${name}" sends to "${cluster}", which does not exist: no such service, port or subset. The call was not sent. See: inmesh routes ${call.host}`,
            { route: name, cluster, ...(action.missingStatus !== undefined && { status: action.missingStatus }) },
          ),
        );
      },
    };
  },
};

/** From here on the call counts for a cluster. @returns false when the drawn one does not exist */
export function enterCluster(call: Call, action: ForwardAction, { random, clusters }: Engine): boolean {
  const drawn = call.session?.destination ?? drawDestination(action, call, random);
  call.destination = drawn;
  const cluster = clusters.get(call.snapshot!, drawn.cluster); // pinned by the engine before any stage runs
  if (cluster === undefined) return false;
  call.cluster = cluster;
  cluster.stats.inFlight += 1;
  return true;
}

export function drawDestination(action: ForwardAction, request: MatchRequest, random: Random): Destination {
  const drawn = drawByWeight(action, random);
  return drawn.forRequest === undefined ? drawn : drawn.forRequest(request);
}

function drawByWeight({ destinations, totalWeight }: ForwardAction, random: Random): Destination {
  const last = destinations.length - 1;
  if (last === 0) return destinations[0]!; // compile never yields an empty list
  let left = random.next() * totalWeight;
  for (let index = 0; index < last; index++) {
    left -= destinations[index]!.weight; // in range
    if (left < 0) return destinations[index]!;
  }
  return destinations[last]!;
}
