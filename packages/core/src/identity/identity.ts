/**
 * Ports of the workload's identity: `@inmesh/identity` implements them, adapters use them for their connections, and
 * nobody else sees a private key.
 */

import type { PeerIdentity } from "@inmesh/model";

/** What a workload proves who it is with, and knows others by. Replaced whole by the next generation. */
export interface Credentials {
  /** Grows with every change: connections and session tickets of another generation are not to be used for new ones. */
  readonly generation: number;
  readonly self: PeerIdentity;
  /** PEM: leaf first, then intermediates, without the root. */
  readonly certificateChain: string;
  /** PEM, PKCS#8. Never into a log, an error or an answer. */
  readonly privateKey: string;
  /** Roots in PEM by trust domain: a root vouches for its own domain only (mtls.md §4). */
  readonly bundles: ReadonlyMap<string, readonly string[]>;
  /** Wall time in ms since 1970. */
  readonly notBefore: number;
  readonly notAfter: number;
}

export interface IdentityStatus {
  /** `starting` until the first credentials; `failing`: renewal fails, the last credentials still hold; `expired`: they do not. */
  readonly state: "starting" | "ready" | "failing" | "expired";
  /** Where credentials come from, in words fit to be shown: `the folder's CA`, `files in /var/run/secrets`. */
  readonly source: string;
  /** Why, in one sentence; absent when all is well. */
  readonly reason?: string;
  /** Wall ms of the next renewal; absent where the source says when. */
  readonly renewsAt?: number;
}

/** One certificate of a peer, as the handshake showed it: DER. */
export type PeerChain = readonly Uint8Array[];

export type PeerVerdict =
  | { readonly peer: PeerIdentity; readonly refusal?: undefined }
  /** Why the certificate is nobody's here, in words for the operator. */
  | { readonly peer?: undefined; readonly refusal: string };

export interface Identity {
  readonly current: Credentials | undefined;
  readonly status: IdentityStatus;
  /** Resolves with the first credentials. @throws what kept them from coming, once `limitMs` has passed */
  ready(limitMs: number): Promise<Credentials>;
  /** Called after each new generation. @returns ends it */
  subscribe(listener: (credentials: Credentials) => void): () => void;
  /**
   * The X.509-SVID rules, for a chain that TLS has verified against all roots together: one URI name, no authority, key
   * usage, validity by this process's clock, and a root of the bundle of its own trust domain.
   * @param chain leaf first; with the root, or as much of the way to it as is known
   * @param fresh TLS has just verified it, by the roots of now. Else nothing is believed that the chain does not show
   * @default false
   */
  verifyPeer(chain: PeerChain, fresh?: boolean): PeerVerdict;
  close(): Promise<void>;
}
