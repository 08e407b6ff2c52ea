/**
 * What the process is busy with, and what it keeps: of the whole process, the application included. They take its time, and a
 * heap snapshot holds every secret in memory, so that profiles are refused unless setting `profiling` is on.
 */

import type { Session } from "node:inspector/promises";
import { sleep } from "@inmesh/core";
import type { DataPlane } from "../plane/data-plane.js";
import { failedPage, type Page } from "./page.js";

/** Of a CPU profile, in seconds: what is kept of it grows with its length. */
const MOST_SECONDS = 60;
const USUAL_SECONDS = 10;

export async function memoryPage(): Promise<Page> {
  const { getHeapStatistics } = await import("node:v8");
  const { rss, heapTotal, heapUsed, external, arrayBuffers } = process.memoryUsage();
  const heap = getHeapStatistics();
  // The first four are called as Envoy calls them.
  const body = {
    allocated: heapUsed,
    heap_size: heapTotal,
    total_physical_bytes: rss,
    pageheap_free: Math.max(0, heapTotal - heapUsed),
    ...{ external, arrayBuffers, heap_limit: heap.heap_size_limit, malloced: heap.malloced_memory },
    ...{ contexts: heap.number_of_native_contexts, detached_contexts: heap.number_of_detached_contexts },
  };
  const lines = Object.entries(body).map(([name, value]) => `${name}: ${value}\n`);
  return { status: 200, body, text: () => lines.join("") };
}

export class Profiler {
  #busy = false;

  /** For DevTools and speedscope: a `.cpuprofile`. */
  async cpu({ settings, clock }: DataPlane, query: URLSearchParams): Promise<Page> {
    const seconds = Number(query.get("seconds") ?? USUAL_SECONDS);
    if (!(seconds > 0 && seconds <= MOST_SECONDS)) return failedPage(400, `seconds is not in 0 to ${MOST_SECONDS}`);
    return await this.#run(settings.profiling, "application/json", async (session) => {
      await session.post("Profiler.enable");
      await session.post("Profiler.start");
      await sleep(clock, seconds * 1_000);
      const { profile } = await session.post("Profiler.stop");
      return JSON.stringify(profile);
    });
  }

  /** For DevTools: a `.heapsnapshot`. The process stands still meanwhile, about a second for each 100 MB. */
  async heap({ settings }: DataPlane): Promise<Page> {
    return await this.#run(settings.profiling, "application/json", async (session) => {
      const chunks: string[] = [];
      session.on("HeapProfiler.addHeapSnapshotChunk", ({ params }) => chunks.push(params.chunk));
      await session.post("HeapProfiler.takeHeapSnapshot");
      return Buffer.from(chunks.join(""));
    });
  }

  async #run(allowed: boolean, type: string, work: (session: Session) => Promise<string | Uint8Array>): Promise<Page> {
    if (!allowed) {
      return failedPage(
        403,
        "profiles show what the application does and keeps: allow them with INMESH_PROFILING=true",
      );
    }
    if (this.#busy) return failedPage(409, "a profile is being taken");
    this.#busy = true;
    const { Session } = await import("node:inspector/promises");
    const session = new Session();
    try {
      session.connect();
      const content = await work(session);
      return { status: 200, body: {}, bytes: { type, content } };
    } finally {
      session.disconnect();
      this.#busy = false;
    }
  }
}
