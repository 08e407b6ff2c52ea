/** Preloaded into each process beside the mesh: samples it when asked, and holds it by nothing. */

import { readdirSync, readlinkSync } from "node:fs";
import { setImmediate as turn } from "node:timers/promises";
import { registeredMesh } from "@inmesh/node";
import type { FromProbe, Sample, ToProbe } from "./messages.js";

const collect = (globalThis as { gc?: () => void }).gc;
if (collect === undefined) throw new Error("the probe needs --expose-gc");

process.on("message", (message: ToProbe) => {
  if (message.type === "sample") void sample().then((taken) => tell({ type: "sample", sample: taken }));
  else void drain();
});
(process as unknown as { channel?: { unref(): void } }).channel?.unref();
process.on("disconnect", () => process.exit(1)); // the soak is gone

// Proves that the judge sees what it must: a service that keeps something of each request.
const keptPerRequest = Number(process.env["SOAK_LEAK_BYTES"] ?? 0);
if (keptPerRequest > 0) {
  const kept: unknown[] = [];
  const { Server } = await import("node:http");
  const emit = Server.prototype.emit as (this: object, event: string, ...args: unknown[]) => boolean;
  Server.prototype.emit = function (event: string, ...args: unknown[]) {
    if (event === "request") kept.push(new Array(keptPerRequest / 8).fill(kept.length + 0.5));
    return emit.call(this, event, ...args);
  };
}

async function sample(): Promise<Sample> {
  for (let round = 0; round < 3; round++) {
    collect?.();
    await turn(); // finalizers
  }
  const { heapUsed, rss } = process.memoryUsage();
  const timers = process.getActiveResourcesInfo().filter((kind) => kind === "Timeout").length;
  return { heap: heapUsed, rss, sockets: sockets(), timers };
}

/** The runtime counts only those that keep the process; idle connections do not. */
function sockets(): number {
  try {
    return readdirSync("/proc/self/fd").filter((fd) => isSocket(fd)).length;
  } catch {
    return -1;
  }
}

function isSocket(fd: string): boolean {
  try {
    return readlinkSync(`/proc/self/fd/${fd}`).startsWith("socket:");
  } catch {
    return false; // closed meanwhile
  }
}

/**
 * The pipes to the soak, and what is over in a moment by itself: a file being read because the registry changed just now,
 * a handle being closed, a parser that Node frees a turn after its connection's end. That the process then ends is judged by its
 * exit.
 */
const NOT_HELD = new Set(["PipeWrap", "TTYWrap", "FSReqPromise", "FSReqCallback", "CloseReq", "Immediate"]);

async function drain(): Promise<void> {
  await registeredMesh()?.drain();
  await turn();
  const active = process.getActiveResourcesInfo().filter((kind) => !NOT_HELD.has(kind));
  tell({ type: "drained", active });
}

function tell(message: FromProbe): void {
  process.send?.(message);
}
