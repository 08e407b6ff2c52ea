/** Where others reach this process, from where its servers are bound. */

import type { Listener } from "@inmesh/http/server";

/** Every address of the machine: the registry is a folder, so callers are on this machine, too. */
const ANY = new Set(["::", "0.0.0.0", ""]);
const HERE = "127.0.0.1";

/** The first server decides; a name or an address given by the user beats it (pitfalls D8). */
export function advertisedAddress(listeners: readonly Listener[], given: string | undefined): string {
  if (given !== undefined) return given;
  const bound = listeners[0]?.address ?? "";
  if (ANY.has(bound)) return HERE;
  return bound.startsWith("::ffff:") ? bound.slice("::ffff:".length) : bound;
}
