/** A call that found no endpoint: one may come in a moment, and if none does the caller is told why. */

import type { Call } from "../call/call.js";
import { attemptsStory } from "../call/story.js";
import type { ClusterRuntime } from "../cluster/cluster-runtime.js";
import { MeshError } from "../errors.js";
import type { Clock } from "../runtime/clock.js";

/**
 * A cluster of names, or one that the registry has yet to tell of, may have an endpoint soon. Waiting is a part of connecting,
 * and bounded as that is.
 * @param then called at once where there is nothing to wait for, and not at all when the call ends meanwhile
 */
export function awaitEndpoint(
  call: Call,
  cluster: ClusterRuntime,
  clock: Clock,
  then: (waited: boolean) => void,
): void {
  const controller = new AbortController();
  const found = cluster.lookUp(call, controller.signal);
  if (found === undefined) return then(false);
  const timer = clock.hold(cluster.config.policy.connection.connectTimeoutMs, () => controller.abort());
  call.cancelWait = () => controller.abort();
  // A promise, so that what follows runs in the caller's async context and not in the lookup's.
  void found.then(() => {
    timer.cancel();
    call.cancelWait = undefined;
    if (!call.ended) then(true);
  });
}

export function noEndpointError(call: Call, cluster: ClusterRuntime, now: number): MeshError {
  const { name, host, port, subset } = cluster.config;
  const what = `"${host}" port ${port}${subset === "" ? "" : ` subset "${subset}"`}`;
  const fate = call.attempts === 0 ? "The call was not sent" : attemptsStory(call, now);
  return new MeshError(
    "NO_ENDPOINT",
    `no endpoint for ${what}: ${cluster.complaint(call) || "the registry has none for it"}. ${fate}. See: inmesh endpoints ${host}`,
    { cluster: name, ...(call.route && { route: call.route.name }), cause: call.attempt?.error },
  );
}
