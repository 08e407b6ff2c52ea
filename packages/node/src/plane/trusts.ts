/** Whose word counts, by settings such as `tracingTrust`. */

import type { Identity } from "@inmesh/core";
import type { PeerIdentity } from "@inmesh/model";

/** `mesh`: who has shown a certificate; where this process has none itself nobody can, and all are believed. */
export type Trust = "mesh" | "any" | "none";

export function trusts(
  trust: Trust,
  peer: PeerIdentity | undefined,
  identity: Pick<Identity, "current"> | undefined,
): boolean {
  if (trust !== "mesh") return trust === "any";
  return peer !== undefined || identity?.current === undefined;
}
