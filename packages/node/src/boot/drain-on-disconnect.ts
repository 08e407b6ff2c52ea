/**
 * A worker of `cluster` that is told to disconnect, by its primary or by itself, drains before Node closes its servers:
 * its lease goes first, connections are retired, requests finish. The servers are closed then, so that Node goes on at once.
 * So does one whose primary has ended: Node would end it on the spot. That happens to every cluster whose processes all
 * get the signal (systemd's control group, `inmesh dev`), since the primary has nothing to drain.
 */

import type { Worker } from "node:cluster";
import type { DataPlane } from "../plane/data-plane.js";

type Emit = (this: NodeJS.Process, event: string | symbol, ...args: unknown[]) => boolean;

export function drainOnDisconnect(worker: Worker, plane: DataPlane, limitMs: number): void {
  const target = process as unknown as { emit: Emit };
  const { emit } = target;
  target.emit = function (event, ...args) {
    const told = event === "internalMessage" && isDisconnect(args[0]);
    if (!told && event !== "disconnect") return emit.call(this, event, ...args);
    if (told) worker.exitedAfterDisconnect = true; // as Node does with the message, which it gets late
    void plane.drain(limitMs).then(() => emit.call(this, event, ...args));
    return true;
  };
  const { disconnect } = worker;
  worker.disconnect = () => {
    void plane.drain(limitMs).then(() => disconnect.call(worker));
    return worker;
  };
}

/** What the primary's `worker.disconnect()` sends: lib/internal/cluster/primary.js, the same in Node 20 to 26. */
function isDisconnect(message: unknown): boolean {
  if (typeof message !== "object" || message === null) return false;
  const { cmd, act } = message as { readonly cmd?: unknown; readonly act?: unknown };
  return cmd === "NODE_CLUSTER" && act === "disconnect";
}
