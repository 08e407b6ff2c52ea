/**
 * The end of a process, in the order that drops nothing (pitfalls S2, S4): not ready, out of the registry, wait until
 * callers have heard of it, stop accepting, let requests in flight finish, and outbound calls last of all.
 */

import { sleep } from "@inmesh/core";
import type { DataPlane } from "./data-plane.js";

export interface DrainResult {
  readonly durationMs: number;
  /** Requests that were still being served at the end of the time, and were cut. */
  readonly cut: number;
}

/** Between two looks at outbound calls in flight, in ms. */
const LOOK_MS = 20;

/** For what was recorded to be written, at least, in ms: what a drain that took all of its time ends with. */
const FLUSH_MS = 500;

/** @param timeoutMs longest time for all of it */
export async function drain(plane: DataPlane, timeoutMs: number): Promise<DrainResult> {
  const { clock } = plane;
  const startedAt = clock.now();
  const controller = new AbortController();
  const timer = clock.hold(timeoutMs, () => controller.abort());
  try {
    await plane.leave(controller.signal, timeoutMs);
    const cut = await plane.servers.close(controller.signal);
    await outboundIdle(plane, controller.signal);
    await plane.telemetry.flush(Math.max(FLUSH_MS, timeoutMs - (clock.now() - startedAt)));
    const durationMs = clock.now() - startedAt;
    const end =
      cut === 0
        ? "nothing was cut"
        : `${cut === 1 ? "1 request was" : `${cut} requests were`} cut after ${timeoutMs} ms`;
    plane.events.add("drain", `drained in ${Math.round(durationMs)} ms, ${end}`);
    if (cut > 0) plane.log.scope("drain").warn(`drain: ${end}`);
    return { durationMs, cut };
  } finally {
    timer.cancel();
  }
}

async function outboundIdle({ clock, engine }: DataPlane, signal: AbortSignal): Promise<void> {
  const busy = (): boolean => engine.clusters.all().some(({ stats }) => stats.inFlight > 0);
  while (busy() && !signal.aborted) await sleep(clock, LOOK_MS);
}
