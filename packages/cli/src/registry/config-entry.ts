/** Policy that a Consul holds as config entries of its own: it is read as resources of the mesh, and changed elsewhere. */

import type { Document } from "@inmesh/model";

/** `service-router/web`; undefined for what can be changed here. */
export function configEntryOf({ origin }: Document): string | undefined {
  return /^consul:(\S+)$/.exec(origin.file)?.[1];
}

/** What to do in place of changing it here. */
export function configEntryAdvice(entry: string): string {
  const [kind = "", name = ""] = entry.split("/");
  return `Change it there: consul config write, or: consul config delete -kind ${kind} -name ${name}. A resource of this name that you apply goes before it.`;
}
