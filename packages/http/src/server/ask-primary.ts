/**
 * Connections of a worker of `cluster` are accepted by its primary and handed over. What a primary hands to a worker that has just
 * ended is lost: nobody answers on that connection, and nobody closes it, since the primary keeps its own end open until the worker
 * says that it has taken it (lib/internal/cluster/round_robin_handle.js, Node 20 to 26). So a worker that takes no more must not end
 * before the primary has heard so.
 */

import { EventEmitter } from "node:events";
import { workerCluster } from "./cluster-worker.js";

export interface PrimaryAnswer {
  /** False when it has come, and when none will. */
  readonly isDue: boolean;
}

/** Any port, and nobody is told of it: the question is asked for its answer's place in the order of messages. */
const QUESTION = { address: "127.0.0.1", port: 0, addressType: 4, fd: -1, flags: 0 };

/**
 * Asks the primary of this worker something that it answers after all that it sent before; messages keep their order both ways.
 * @returns undefined where nobody needs to hear: in any other process, and where the primary itself told this one to go, and hands it
 * nothing since
 */
export function askPrimary(): PrimaryAnswer | undefined {
  const cluster = workerCluster();
  if (cluster?._getServer === undefined) return undefined;
  const { worker } = cluster;
  let heard = false;
  const answer: PrimaryAnswer = {
    get isDue() {
      return !heard && process.connected && worker.exitedAfterDisconnect !== true;
    },
  };
  if (!answer.isDue) return undefined;
  cluster._getServer(new EventEmitter(), QUESTION, (_, handle) => {
    handle?.close();
    heard = true;
  });
  return answer;
}
