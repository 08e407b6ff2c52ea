/** What a test leaves running: timers, sockets and servers that were not there before. */

/** Kinds of resources that belong to the runtime and its test runner. */
const OWN = new Set(["TTYWrap", "PipeWrap", "MessagePort", "ProcessWrap", "SignalWrap", "FSEventWrap", "CloseReq"]);

/**
 * Notes what is open now.
 * @returns tells what is open beyond that, `TCPSocketWrap x 2`; empty when nothing is
 */
export function leakCheck(): () => readonly string[] {
  const before = count();
  return () => {
    const found: string[] = [];
    for (const [kind, now] of count()) {
      const more = now - (before.get(kind) ?? 0);
      if (more > 0) found.push(`${kind} x ${more}`);
    }
    return found;
  };
}

function count(): ReadonlyMap<string, number> {
  const counted = new Map<string, number>();
  for (const kind of process.getActiveResourcesInfo()) {
    if (!OWN.has(kind)) counted.set(kind, (counted.get(kind) ?? 0) + 1);
  }
  return counted;
}
