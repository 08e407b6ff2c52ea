/** What a transport knows of the connection that an attempt went out by. One per connection, shared by all that it carries. */

import type { PeerIdentity } from "@inmesh/model";

export interface Wire {
  /** `HTTP/1.1`, `HTTP/2`. */
  readonly protocol: string;
  /** `address:port`; empty where unknown. */
  readonly localAddress: string;
  readonly remoteAddress: string;
  /** Who answers, as its certificate says. */
  readonly peer: PeerIdentity | undefined;
  /** Both sides showed a certificate of the mesh. */
  readonly mtls: boolean;
  /** Clock ms: it was begun, its name was looked up, TCP stood, and it could carry requests. Equal where a step was none. */
  readonly openedAt: number;
  readonly namedAt: number;
  readonly connectedAt: number;
  readonly readyAt: number;
}
