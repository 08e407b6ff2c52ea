/** What the ports of a lease are called. The name says the protocol, as in a Kubernetes Service (policy-semantics §0.8). */

import type { Listener } from "@inmesh/http/server";
import type { Port } from "../settings/values.js";

/** `http`, `http-1`, `https`, `http2`, …, in order of listening; a port bound on several addresses is one. */
export function namedPorts(listeners: readonly Listener[]): readonly Port[] {
  const counts = new Map<string, number>();
  const found = new Map<number, Port>();
  for (const { port, protocol } of listeners) {
    if (found.has(port)) continue;
    const count = counts.get(protocol) ?? 0;
    counts.set(protocol, count + 1);
    found.set(port, { name: count === 0 ? protocol : `${protocol}-${count}`, number: port });
  }
  return [...found.values()];
}
