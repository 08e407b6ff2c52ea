/** Who is at the other end of a connection, as whoever took the connection in has found out, once. */

import type { PeerIdentity } from "@inmesh/model";

/** Set on the socket that carries requests by the servers' TLS. Holds for every copy of this package. */
const CONNECTION: unique symbol = Symbol.for("@inmesh/connection@1");

/** As much as requests need of it. */
export interface ConnectionFacts {
  readonly peer: PeerIdentity | undefined;
  /** Name that the caller asked for in its handshake. */
  readonly serverName: string;
}

export function factsOf(socket: object | null | undefined): ConnectionFacts | undefined {
  return (socket as { readonly [CONNECTION]?: ConnectionFacts } | null | undefined)?.[CONNECTION];
}
