/**
 * A connection of which nobody knows yet what it is: its first byte tells TLS from plaintext, and is put back. One object
 * for each, and listeners shared by all, since every connection of the process comes through here (mtls.md §1).
 */

import type { Socket } from "node:net";
import type { Applicant } from "./handshakes.js";
import { hasEnded } from "./node-internals.js";

/** What is done with arrivals, by the server they came to. */
export interface Reception {
  /** It begins a TLS handshake; may wait. */
  hello(arrival: Arrival): void;
  /** It says something else. */
  plain(arrival: Arrival): void;
  /** Begins the handshake. */
  shake(arrival: Arrival): void;
  /** It is gone. */
  gone(arrival: Arrival): void;
}

/** What it waits for. */
export type ArrivalState = "config" | "byte" | "credentials" | "queue" | "handshake";

/** First byte of a TLS record that holds a handshake message (RFC 8446 §5.1); no method of HTTP begins with it. */
const HANDSHAKE_RECORD = 0x16;

const ARRIVAL: unique symbol = Symbol("inmesh.arrival");

interface Marked extends Socket {
  [ARRIVAL]?: Arrival | undefined;
}

export class Arrival implements Applicant {
  readonly socket: Socket;
  readonly reception: Reception;
  /** Gives a connection to the application's server. */
  readonly handOver: (socket: Socket) => boolean;
  /** Monotonic ms since when it waits for what it waits for. */
  since: number;
  state: ArrivalState = "config";

  constructor(socket: Socket, reception: Reception, handOver: (socket: Socket) => boolean, now: number) {
    this.socket = socket;
    this.reception = reception;
    this.handOver = handOver;
    this.since = now;
    (socket as Marked)[ARRIVAL] = this;
    socket.on("error", ignore); // a reset would end the process
    socket.on("close", onClose);
  }

  peek(now: number): void {
    this.state = "byte";
    this.since = now;
    this.socket.on("readable", onReadable);
  }

  begin(): void {
    this.state = "handshake";
    this.reception.shake(this);
  }

  /** The socket belongs to somebody else from now on. */
  release(): void {
    const { socket } = this;
    socket.removeListener("readable", onReadable);
    socket.removeListener("error", ignore);
    socket.removeListener("close", onClose);
    (socket as Marked)[ARRIVAL] = undefined;
  }
}

export function arrivalOf(socket: Socket | undefined): Arrival | undefined {
  return (socket as Marked | undefined)?.[ARRIVAL];
}

function ignore(): void {}

function onClose(this: Socket): void {
  const arrival = arrivalOf(this);
  arrival?.reception.gone(arrival);
}

function onReadable(this: Socket): void {
  // All that has come, and not its first byte alone: the parser is to get it in one piece, as without us.
  const arrived = this.read() as Buffer | null;
  if (arrived === null) {
    if (hasEnded(this)) this.destroy(); // http.Server lets sockets live on half; nobody else would end this one
    return; // or nothing is there yet
  }
  const arrival = arrivalOf(this)!; // listened to for it alone
  // A listener left on would keep node:http from reading in C++, which costs every request a sixth.
  this.removeListener("readable", onReadable);
  this.unshift(arrived);
  if (arrived[0] === HANDSHAKE_RECORD) arrival.reception.hello(arrival);
  else arrival.reception.plain(arrival);
}
