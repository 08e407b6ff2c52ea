/** The process around a command: signals, pipes that close early, and staying alive until it is done. */

import { setMaxListeners } from "node:events";
import { EXIT } from "./exit.js";
import { processIo } from "./io.js";
import { run } from "./program.js";

/** Besides SIGINT and SIGTERM, by a command that takes signals. */
const PASSED_ON = ["SIGHUP", "SIGQUIT", "SIGUSR2", "SIGCONT"] as const;

export function main(): void {
  const interrupt = new AbortController();
  setMaxListeners(0, interrupt.signal); // every question to a process listens to it
  let code: number | undefined;
  let taken: ((signal: NodeJS.Signals) => void) | undefined;
  const onSignal = (signal: NodeJS.Signals): void => {
    if (taken !== undefined) return taken(signal);
    if (interrupt.signal.aborted) process.exit(EXIT.interrupted); // a second Ctrl-C does not wait
    interrupt.abort(new Error("interrupted"));
  };
  process.on("SIGINT", onSignal);
  process.on("SIGTERM", onSignal);
  const takeSignals = (listener: (signal: NodeJS.Signals) => void): (() => void) => {
    taken = listener;
    for (const signal of PASSED_ON) process.on(signal, onSignal);
    return () => {
      taken = undefined;
      for (const signal of PASSED_ON) process.removeListener(signal, onSignal);
    };
  };
  // `inmesh … | head`: the reader has what it wanted.
  process.stdout.on("error", (error: NodeJS.ErrnoException) => {
    if (error.code === "EPIPE") process.exit(code ?? EXIT.ok);
    throw error;
  });
  // Timers of the mesh keep no process alive; a command that waits must.
  const hold = setInterval(() => {}, 2 ** 30);
  void run(process.argv.slice(2), processIo(interrupt.signal, takeSignals)).then((result) => {
    code = result;
    process.exitCode = result;
    clearInterval(hold);
    process.stdin.unref?.();
    process.removeListener("SIGINT", onSignal);
    process.removeListener("SIGTERM", onSignal);
  });
}
