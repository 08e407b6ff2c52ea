/** What is known of a connection: when it was looked up, connected and secured, where it leads, and who is there. Read once, kept on its socket. */

import type { Socket } from "node:net";
import { systemClock, type Wire } from "@inmesh/core";
import { parseSpiffeId } from "@inmesh/model";
import { securedOf } from "./tls/secured-socket.js";

/** Clock ms. */
interface Opening {
  readonly openedAt: number;
  namedAt: number;
  connectedAt: number;
}

const OPENING: unique symbol = Symbol("inmesh.opening");
const WIRE: unique symbol = Symbol("inmesh.wire");

interface Watched {
  [OPENING]?: Opening;
  [WIRE]?: Wire;
}

/** To be called in the turn in which it is begun. */
export function watchOpening(socket: Socket): Socket {
  const openedAt = systemClock.now();
  const opening: Opening = { openedAt, namedAt: openedAt, connectedAt: openedAt };
  socket.once("lookup", () => {
    opening.namedAt = systemClock.now();
  });
  socket.once("connect", () => {
    opening.connectedAt = systemClock.now();
  });
  (socket as Watched)[OPENING] = opening;
  return socket;
}

/** TLS is spoken over a socket of its own. */
export function sameOpening(from: Socket, to: Socket): void {
  const opening = (from as Watched)[OPENING];
  if (opening !== undefined) (to as Watched)[OPENING] = opening;
}

/** Asked first when it can carry requests. */
export function wireOf(socket: Socket, protocol: string): Wire {
  const watched = socket as Watched;
  watched[WIRE] ??= read(socket, protocol);
  return watched[WIRE];
}

function read(socket: Socket, protocol: string): Wire {
  const readyAt = systemClock.now();
  const unseen = { openedAt: readyAt, namedAt: readyAt, connectedAt: readyAt };
  const { openedAt, namedAt, connectedAt } = (socket as Watched)[OPENING] ?? unseen;
  const secured = securedOf(socket);
  const peer = secured?.verified.peer ? parseSpiffeId(secured.verified.peer) : undefined;
  return {
    protocol,
    localAddress: addressText(socket.localAddress, socket.localPort),
    remoteAddress: addressText(socket.remoteAddress, socket.remotePort),
    peer,
    mtls: peer !== undefined && secured?.showed !== "",
    openedAt,
    namedAt,
    connectedAt,
    readyAt: secured === undefined ? connectedAt : readyAt,
  };
}

function addressText(address: string | undefined, port: number | undefined): string {
  if (address === undefined) return "";
  return address.includes(":") ? `[${address}]:${port}` : `${address}:${port}`;
}
