/** How the registry of a process stands: whether it answers, how old is what is in force, what is held back against it. */

import type { Clock } from "../runtime/clock.js";
import { absenceText, durationText, isAway } from "../snapshot/absence-log.js";
import { heldText } from "../snapshot/held-notices.js";
import type { PipelineStatus } from "../snapshot/pipeline-status.js";
import type { SourceStatus } from "../snapshot/source.js";
import type { HeldView, RegistryReading } from "./views.js";

/** @param status undefined while the registry is being opened */
export function registryReading(status: PipelineStatus | undefined, url: string, clock: Clock): RegistryReading {
  const now = clock.now();
  const { source, fromState = false, stateSavedAt, publishedAt, services, views = 0, publications = 0 } = status ?? {};
  const { state, since, reason, lagMs } = source ?? ({ state: "connecting", since: now } as SourceStatus);
  const savedAt = fromState ? stateSavedAt : undefined;
  const stateAgeMs = savedAt === undefined ? undefined : Math.max(0, clock.wallTime() - savedAt);
  return {
    ...{ url, state, sinceMs: now - since },
    ...(reason !== undefined && { reason }),
    ...(lagMs !== undefined && { lagMs }),
    staleMs: stateAgeMs ?? (state === "stale" ? now - since : (lagMs ?? 0)),
    ...(savedAt !== undefined && { stateSavedAt: new Date(savedAt).toISOString() }),
    snapshotAgeMs: publishedAt === undefined ? -1 : now - publishedAt,
    ...(services && { services }),
    ...{ views, publications },
    held: heldViews(source, now),
  };
}

function heldViews({ held = [] }: Partial<SourceStatus> = {}, now: number): HeldView[] {
  return held.map(({ namespace, service, instances, of, since, until }) => ({
    ...{ namespace, service, instances, of },
    sinceMs: now - since,
    forMs: Math.max(0, until - now),
  }));
}

/** What is not as it should be with the registry, a sentence each, without their ends. */
export function registryDetails(
  registry: Partial<RegistryReading> & Pick<RegistryReading, "url" | "state" | "sinceMs">,
) {
  const { url, sinceMs, stateSavedAt, staleMs = 0, held = [] } = registry;
  const kept = held.map(
    ({ forMs, ...instances }) =>
      `${heldText(instances)} stay in use for ${durationText(forMs)} more: the registry lost them all at once`,
  );
  return [
    ...(isAway(registry, sinceMs) ? [absenceText(registry, url, sinceMs)] : []),
    ...(stateSavedAt === undefined ? [] : [`the state saved ${durationText(staleMs)} ago is in force`]),
    ...kept,
  ];
}

/** Of instances held back: for how much longer, in ms, by the name of the workload. */
export function suspectsOf(status: PipelineStatus | undefined, now: number): ReadonlyMap<string, number> {
  return new Map(
    heldViews(status?.source, now).flatMap(({ instances, forMs }) => instances.map((name) => [name, forMs])),
  );
}
