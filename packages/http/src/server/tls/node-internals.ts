/** What Node keeps to itself and this folder cannot do without: one function each, and a contract test for every one. */

import type { Server, Socket } from "node:net";
import type { TLSSocket } from "node:tls";

/** The connection below a TLS socket that a `tls.Server` made of it. */
export function rawSocketOf(secure: TLSSocket): Socket | undefined {
  return (secure as unknown as { readonly _parent?: Socket })._parent;
}

/** The peer has sent all it ever will, read or not: `readableEnded` is true only after somebody has read it. */
export function hasEnded(socket: Socket): boolean {
  return (socket as unknown as { readonly _readableState: { readonly ended: boolean } })._readableState.ended;
}

/**
 * Resets the connection; one that cannot be reset is closed. A pipe has no reset; and where the socket's own end is under way
 * libuv refuses (EINVAL) after Node has marked the handle as closed: it would stay open for good, its server would never
 * close, and the process would spin at its exit.
 */
export function resetOrClose(socket: Socket): void {
  if (socket.remoteAddress === undefined || isEnding(socket)) socket.destroy();
  else socket.resetAndDestroy();
}

function isEnding({ writableEnded, writableFinished }: Socket): boolean {
  return writableEnded && !writableFinished;
}

/**
 * An application that resets connections goes on doing so: Node has no reset for TLS (ERR_INVALID_HANDLE_TYPE), but the
 * connection below has one. It is closed by the one above, which otherwise were gone while its parser still runs: node:http
 * would keep that parser, and throw when its server is closed.
 */
export function letReset(secure: TLSSocket, raw: Socket): void {
  const resetAndDestroy = (): TLSSocket => {
    if (!isEnding(secure)) (raw as unknown as { resetAndClosing: boolean }).resetAndClosing = true;
    return secure.destroy();
  };
  Object.defineProperty(secure, "resetAndDestroy", { value: resetAndDestroy, configurable: true, writable: true });
}

/** Frameworks ask `encrypted` for the scheme of a request, and for nothing else. Node's types have it fixed. */
export function showAsPlain(secure: TLSSocket): void {
  (secure as unknown as { encrypted: boolean }).encrypted = false;
}

/** node:http2 takes a TLS connection without a protocol for one of HTTP/1. */
export function setProtocol(secure: TLSSocket, protocol: string): void {
  (secure as unknown as { alpnProtocol: string }).alpnProtocol = protocol;
}

/** The server whose connection it is, for those who ask the socket: below a hidden server it would be that one. */
export function setServer(secure: TLSSocket, server: object): void {
  (secure as unknown as { server: object }).server = server;
}

/** Sockets of the server stay open for writing after the peer's end. An option of the constructor that no property tells. */
export function allowsHalfOpen(server: Server): boolean {
  return (server as unknown as { readonly allowHalfOpen?: boolean }).allowHalfOpen === true;
}
