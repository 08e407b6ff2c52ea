/** What is known of a connection that was verified, kept on its socket for whoever uses it. */

import type { Socket } from "node:net";

/** What the server was verified as, and by what. */
export interface Verified {
  /** Its SPIFFE id; empty where names of a certificate were verified. */
  readonly peer: string;
  /** SHA-256 of the root that vouches for it; empty where that is not asked. */
  readonly root: string;
  /** Of the trust. */
  readonly generation: number;
  /** Wall time at which the first certificate of its chain expires. */
  readonly validTo: number;
}

export interface SecuredConnection {
  readonly verified: Verified;
  /** What this process showed itself as; empty where it showed nothing. */
  readonly showed: string;
  /** Clock ms after which no further request goes on it; Infinity for never. */
  readonly retiresAt: number;
}

const SECURED: unique symbol = Symbol("inmesh.secured");

export function noteSecured(socket: Socket, secured: SecuredConnection): void {
  (socket as { [SECURED]?: SecuredConnection })[SECURED] = secured;
}

/** @returns undefined in plaintext */
export function securedOf(socket: Socket): SecuredConnection | undefined {
  return (socket as { [SECURED]?: SecuredConnection })[SECURED];
}
