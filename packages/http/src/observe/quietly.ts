/** Listeners of ours stand in other people's requests: a fault in one must end nothing but itself. */

/** @returns the listener; when it throws, a warning says so */
export function quietly<Arguments extends readonly unknown[]>(
  listen: (...given: Arguments) => void,
): (...given: Arguments) => void {
  return (...given) => {
    try {
      listen(...given);
    } catch (error) {
      process.emitWarning(`inmesh cannot observe a request: ${String(error)}`, { type: "InmeshWarning" });
    }
  };
}
