/**
 * Moments of the process, told to all who ask by one listener each: Node warns of a leak at the eleventh, and a process may
 * hold a mesh for each tenant or test.
 */

interface Moments {
  /** Nothing is left to do; what begins now is waited for, and then it comes again. */
  readonly beforeExit: () => void;
  /** Nothing can be waited for any more. */
  readonly exit: () => void;
  /** Who listens watches, and changes nothing. */
  readonly uncaughtExceptionMonitor: (error: unknown, origin: string) => void;
}

interface Dispatcher {
  readonly told: Set<(...args: unknown[]) => void>;
  readonly tell: (...args: unknown[]) => void;
}

const dispatchers = new Map<keyof Moments, Dispatcher>();

/** Calls `fn` when the moment comes, until the function returned is called; `beforeExit`, which what it begins brings again, once. */
export function atProcess<Moment extends keyof Moments>(moment: Moment, fn: Moments[Moment]): () => void {
  const { told, tell } = dispatchers.get(moment) ?? open(moment);
  const hear = (...args: unknown[]): void => {
    if (moment === "beforeExit") forget();
    (fn as (...args: unknown[]) => void)(...args);
  };
  const forget = (): void => {
    if (!told.delete(hear) || told.size > 0) return;
    process.removeListener(moment, tell);
    dispatchers.delete(moment);
  };
  told.add(hear);
  return forget;
}

function open(moment: keyof Moments): Dispatcher {
  const told = new Set<(...args: unknown[]) => void>();
  const tell = (...args: unknown[]): void => {
    for (const each of [...told]) each(...args);
  };
  const dispatcher = { told, tell };
  dispatchers.set(moment, dispatcher);
  process.on(moment, tell);
  return dispatcher;
}
