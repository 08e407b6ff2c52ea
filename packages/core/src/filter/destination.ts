/** Draws the weighted destination and finds its cluster: once per request (policy-semantics §1.4). */

import type { Destination, ForwardAction } from "@inmesh/model";
import { MeshError } from "../errors.js";
import type { Random } from "../runtime/random.js";
import type { Stage } from "../stack/stack.js";

export const destination: Stage = {
  role: "destination",
  describe: "draws one of the rule's weighted destinations",
  make({ action, name }, engine) {
    if (action.kind !== "forward") return undefined;
    const { random, clusters } = engine;
    return {
      parameters: action.destinations
        .map(({ cluster, weight }) => `${cluster} ${weight}/${action.totalWeight}`)
        .join(", "),
      call: (next) => (call) => {
        const drawn = draw(action, random);
        const cluster = clusters.get(call.snapshot!, drawn.cluster); // pinned by the engine before any stage runs
        call.destination = drawn;
        if (cluster === undefined) {
          return call.fail(
            new MeshError(
              "CLUSTER_NOT_FOUND",
              `rule "${name}" sends to "${drawn.cluster}", which does not exist: no such service, port or subset. See: inmesh routes ${call.host}`,
              { route: name, cluster: drawn.cluster },
            ),
          );
        }
        call.cluster = cluster;
        cluster.stats.inFlight += 1;
        next(call);
      },
    };
  },
};

function draw({ destinations, totalWeight }: ForwardAction, random: Random): Destination {
  const last = destinations.length - 1;
  if (last === 0) return destinations[0]!; // compile never yields an empty list
  let left = random.next() * totalWeight;
  for (let index = 0; index < last; index++) {
    left -= destinations[index]!.weight; // in range
    if (left < 0) return destinations[index]!;
  }
  return destinations[last]!;
}
