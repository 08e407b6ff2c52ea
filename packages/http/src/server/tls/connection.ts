/** One connection of a secured server, as the mesh knows it: found by its socket, once per connection and not per request. */

import type { Http2Session } from "node:http2";
import type { Socket } from "node:net";
import type { TLSSocket } from "node:tls";
import type { PeerIdentity } from "@inmesh/model";
import type { CallerCount } from "./callers.js";
import type { KnownPeer } from "./peers.js";

/** On a socket that carries requests. Holds for every copy of this package. */
const CONNECTION: unique symbol = Symbol.for("@inmesh/connection@1");

interface Marked {
  [CONNECTION]?: Connection;
}

export class Connection {
  /** Whose finding this is: several meshes of a process may look at the same connection, and the first one's stands. */
  readonly owner: object;
  readonly socket: Socket;
  /** Of the workload; 0 where there is none, as for a pipe. */
  readonly port: number;
  /** Whoever has proven to be there; undefined: plaintext. */
  readonly known: KnownPeer | undefined;
  /** Monotonic ms after which it is to be replaced. */
  readonly retireAt: number;
  /** What the caller says of itself; empty in plaintext. */
  workload = "";
  caller: CallerCount | undefined = undefined;
  /** Of HTTP/2. */
  session: Http2Session | undefined = undefined;
  inFlight = 0;
  /** Monotonic ms since when it is not wanted any more; 0: it is. */
  retiredAt = 0;
  /** It left HTTP. */
  upgraded = false;
  /** The open ones of its server, for a listener that all of them share. */
  among: Set<Connection> | undefined = undefined;

  constructor(owner: object, socket: Socket, port: number, known: KnownPeer | undefined, retireAt: number) {
    this.owner = owner;
    this.socket = socket;
    this.port = port;
    this.known = known;
    this.retireAt = retireAt;
    (socket as Marked)[CONNECTION] = this;
  }

  get peer(): PeerIdentity | undefined {
    return this.known?.identity;
  }

  /** As the caller wrote it in its handshake; empty in plaintext and without one. */
  get serverName(): string {
    const { servername } = this.socket as Partial<TLSSocket> & { readonly servername?: string | false };
    return typeof servername === "string" ? servername : "";
  }

  /** No new work: the next answer says so, and with the last one it ends. */
  retire(now: number): void {
    if (this.retiredAt > 0) return;
    this.retiredAt = now;
    this.session?.close(); // GOAWAY; streams that run are finished
  }

  requestEnded(): void {
    this.inFlight -= 1;
    if (this.retiredAt > 0) this.endIfIdle();
  }

  endIfIdle(): void {
    if (this.inFlight > 0 || this.upgraded || this.session !== undefined) return;
    this.socket.end();
    this.socket.destroySoon();
  }
}

export function connectionOf(socket: object | null | undefined): Connection | undefined {
  try {
    return (socket as Marked | null | undefined)?.[CONNECTION];
  } catch {
    return undefined; // what stands for the socket of an HTTP/2 session throws once that is over
  }
}
