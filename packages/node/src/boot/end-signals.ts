/** Which signals mean the end of this process, and how long it has. */

import { isatty } from "node:tty";
import type { EndSignals } from "./drain-on-signal.js";
import type { Pm2 } from "./launch.js";

export interface Ending {
  readonly drainTimeoutMs: number;
  readonly pm2: Pm2 | undefined;
  /** A worker of `cluster`. */
  readonly worker: boolean;
  /** Whether somebody may press Ctrl-C. @default one of the standard streams is a terminal */
  readonly terminal?: boolean;
}

/** Of PM2's time between SIGINT and SIGKILL. The rest is for a busy machine and for what the process does besides. */
const KILL_SHARE = 0.8;

/**
 * SIGTERM. And SIGINT where it comes from a manager: from PM2, which ends everything by it, or from the primary of a
 * cluster. At a terminal Ctrl-C stays what it was.
 */
export function endSignals({ drainTimeoutMs, pm2, worker, terminal = atTerminal() }: Ending): EndSignals {
  const managed = pm2 !== undefined || (worker && !terminal);
  return {
    signals: managed ? ["SIGTERM", "SIGINT"] : ["SIGTERM"],
    limitMs: pm2 === undefined ? drainTimeoutMs : Math.min(drainTimeoutMs, pm2.killTimeoutMs * KILL_SHARE),
  };
}

function atTerminal(): boolean {
  return [0, 1, 2].some((stream) => isatty(stream));
}
