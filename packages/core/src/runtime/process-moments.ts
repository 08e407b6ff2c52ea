/**
 * Moments of the process, told to all who ask by one listener each: Node warns of a leak at the eleventh, and a process may
 * hold a mesh for each tenant or test.
 */

import { EventEmitter } from "node:events";

interface Moments {
  /** Nothing is left to do; what begins now is waited for, and then it comes again. */
  readonly beforeExit: () => void;
  /** Nothing can be waited for any more. */
  readonly exit: () => void;
  /** Who listens watches, and changes nothing. */
  readonly uncaughtExceptionMonitor: (error: unknown, origin: string) => void;
}

const relay = new EventEmitter().setMaxListeners(0);
const passOn = {
  beforeExit: (): void => tell("beforeExit"),
  exit: (): void => tell("exit"),
  uncaughtExceptionMonitor: (error: unknown, origin: string): void => tell("uncaughtExceptionMonitor", error, origin),
};

/** Calls `fn` when the moment comes, until the function returned is called; `beforeExit`, which what it begins brings again, once. */
export function atProcess<Moment extends keyof Moments>(moment: Moment, fn: Moments[Moment]): () => void {
  if (relay.listenerCount(moment) === 0) (process as EventEmitter).on(moment, passOn[moment]);
  if (moment === "beforeExit") relay.once(moment, fn);
  else relay.on(moment, fn);
  return () => {
    relay.removeListener(moment, fn);
    leaveUnheard(moment);
  };
}

function tell(moment: keyof Moments, ...facts: readonly unknown[]): void {
  relay.emit(moment, ...facts);
  leaveUnheard(moment);
}

function leaveUnheard(moment: keyof Moments): void {
  if (relay.listenerCount(moment) === 0) process.removeListener(moment, passOn[moment]);
}
