/**
 * Servers of protocols that the mesh does not know (`net.Server`, `tls.Server`): who may connect, by PeerAuthentication and by the rules
 * of AuthorizationPolicies as far as they are about connections (policy-semantics §4.7). What runs on them is not looked at.
 */

import type { Server as NetServer, Socket } from "node:net";
import type { Clock, Guard } from "@inmesh/core";
import { plainAddress } from "@inmesh/core/internal";
import type { AccessRequest } from "@inmesh/model";
import { connectionOf } from "./connection.js";
import type { ServerSecurity } from "./server-security.js";

export type TcpGuard = Pick<Guard, "admits" | "onlyObserves">;

export interface TcpServersOptions {
  readonly clock: Clock;
  readonly security: ServerSecurity | undefined;
  readonly guard: TcpGuard | undefined;
}

export class TcpServers {
  readonly #options: TcpServersOptions;
  /** A server may be met at a seam of its own and at that of the process. */
  readonly #admitted = new WeakSet<Socket>();

  constructor(options: TcpServersOptions) {
    this.#options = options;
  }

  /** @param handOver gives it to the application: this one, or the one over TLS that was made of it */
  connection(server: NetServer, socket: Socket, handOver: (socket: Socket) => boolean): boolean {
    if (this.#admitted.has(socket)) return handOver(socket);
    const { security, guard } = this.#options;
    const admit = (admitted: Socket): boolean => this.#admit(server, admitted, handOver);
    return security === undefined || guard?.onlyObserves === true
      ? admit(socket)
      : security.tcpConnection(server, socket, admit);
  }

  #admit(server: NetServer, socket: Socket, handOver: (socket: Socket) => boolean): boolean {
    const { clock, guard, security } = this.#options;
    if (guard?.admits(askedOf(server, socket), clock.now()) === false) {
      security?.refusals.note("rules");
      socket.on("error", () => {}).destroy();
      return true;
    }
    this.#admitted.add(socket);
    return handOver(socket);
  }
}

function askedOf(server: NetServer, socket: Socket): AccessRequest {
  const connection = connectionOf(socket);
  const bound = server.address();
  const sourceIp = plainAddress(socket.remoteAddress);
  return {
    peer: connection?.peer,
    sourceIp,
    remoteIp: sourceIp, // what stands in for it is a header
    destinationIp: plainAddress(socket.localAddress),
    port: bound !== null && typeof bound === "object" ? bound.port : (socket.localPort ?? 0),
    sni: connection?.serverName ?? "",
  };
}
