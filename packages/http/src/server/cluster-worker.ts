/** The worker of `cluster` that this process is, if it is one. */

import type { Worker } from "node:cluster";
import type { EventEmitter } from "node:events";
import Module from "node:module";

/** `node:cluster` in a worker. */
export interface WorkerCluster {
  readonly worker: Worker;
  /** What node:net itself calls. */
  _getServer?(owner: EventEmitter, question: object, done: (error: number, handle: Handle | null) => void): void;
}

interface Handle {
  close(): void;
}

/** @returns undefined in any other process */
export function workerCluster(): WorkerCluster | undefined {
  // Loading the module takes time; without a channel to a parent nobody is a worker.
  if (process.channel === undefined || process.channel === null) return undefined;
  const cluster = Module.createRequire(import.meta.url)("node:cluster") as Partial<WorkerCluster>;
  return cluster.worker === undefined ? undefined : (cluster as WorkerCluster);
}

export function clusterWorker(): Worker | undefined {
  return workerCluster()?.worker;
}
