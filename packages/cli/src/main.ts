/** The process around a command: signals, pipes that close early, and staying alive until it is done. */

import { EXIT } from "./exit.js";
import { processIo } from "./io.js";
import { run } from "./program.js";

export function main(): void {
  const interrupt = new AbortController();
  let code: number | undefined;
  const onSignal = (): void => {
    if (interrupt.signal.aborted) process.exit(EXIT.interrupted); // a second Ctrl-C does not wait
    interrupt.abort(new Error("interrupted"));
  };
  process.on("SIGINT", onSignal);
  process.on("SIGTERM", onSignal);
  // `inmesh … | head`: the reader has what it wanted.
  process.stdout.on("error", (error: NodeJS.ErrnoException) => {
    if (error.code === "EPIPE") process.exit(code ?? EXIT.ok);
    throw error;
  });
  // Timers of the mesh keep no process alive; a command that waits must.
  const hold = setInterval(() => {}, 2 ** 30);
  void run(process.argv.slice(2), processIo(interrupt.signal)).then((result) => {
    code = result;
    process.exitCode = result;
    clearInterval(hold);
    process.stdin.unref?.();
    process.removeListener("SIGINT", onSignal);
    process.removeListener("SIGTERM", onSignal);
  });
}
