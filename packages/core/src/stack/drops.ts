/** `drop_overloads`: a control plane has a share of a cluster's requests turned away before they cost an endpoint anything. */

import type { DroppedShare } from "@inmesh/model";
import type { Call } from "../call/call.js";
import { percentOf } from "../call/percent.js";
import { requestLine } from "../call/story.js";
import type { ClusterRuntime } from "../cluster/cluster-runtime.js";
import { MeshError } from "../errors.js";

/**
 * Drawn once per call, category by category (gRFC A32): attempts after the first, and a call that waited for endpoints, have
 * had their chance.
 * @returns whether it is over
 */
export function isDropped(call: Call, cluster: ClusterRuntime, drops: readonly DroppedShare[]): boolean {
  if (call.drawnFor === drops || call.replayed) return false;
  call.drawnFor = drops;
  const { random } = call.engine;
  const drop = drops.find(({ ratio }) => ratio >= 1 || random.next() < ratio);
  if (drop === undefined) return false;
  cluster.countDropped(drop.category);
  const { name } = cluster.config;
  const share = `the control plane has ${percentOf(drop.ratio)}% of the requests to "${name}" dropped (drop_overloads, category ${drop.category})`;
  call.fail(new MeshError("DROPPED", `${requestLine(call)} was not sent: ${share}`, call.place));
  return true;
}
