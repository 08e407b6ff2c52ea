/** Port of everything that certificates come from: an authority, files, an agent, a function of the application's. */

import type { PeerIdentity } from "@inmesh/model";

/** As a source gives it, and as nobody has looked at it yet. */
export interface GivenCredentials {
  /** PEM: the leaf first; intermediates after it, and the root if it likes. */
  readonly certificateChain: string;
  /** PEM, any form that Node reads. */
  readonly privateKey: string;
  /** Roots in PEM by the trust domain they vouch for; one text: those of the leaf's own. */
  readonly roots: string | ReadonlyMap<string, string>;
}

export interface CredentialSource {
  /** In words fit to be shown: `the folder's CA`, `files in /var/run/secrets`. */
  readonly description: string;
  /** `asked`: every `obtain` makes new ones. `tells`: somebody else renews them, and `watch` tells of it. */
  readonly renewal: "asked" | "tells";
  /** @throws why there are none now, in words fit to be shown; it is asked again */
  obtain(signal: AbortSignal): Promise<GivenCredentials>;
  /** Calls `onChange` when `obtain` would give something else. Absent where nothing changes unasked. @returns ends it */
  watch?(onChange: () => void): () => void;
  /**
   * What the mesh calls a peer whose certificate names it in the source's own way; the name that is in it stays in
   * `presented`. Absent where names are the mesh's. @returns undefined for a name that says nothing here
   * @param trustDomain of policy
   */
  nameOf?(peer: PeerIdentity, trustDomain: string): PeerIdentity | undefined;
  close?(): void | Promise<void>;
}
