/** What a machine finds out about itself and its way to a registry that it shares with other machines. */

import { createSocket } from "node:dgram";
import { lookup } from "node:dns/promises";
import { once } from "node:events";
import { isIPv6 } from "node:net";
import { networkInterfaces } from "node:os";
import { isLoopback, type Surroundings } from "./found-address.js";

/** A registry that other machines use, too. */
export interface SharedServer {
  readonly host: string;
  readonly port: number;
  /**
   * What the agent that answers there tells others of its own address; undefined when it does not say, or may not.
   * Rejects while it does not answer.
   */
  agentAddress(): Promise<string | undefined>;
}

export interface Found {
  readonly surroundings: Surroundings;
  /** Something did not answer that may do so later. */
  readonly incomplete: boolean;
}

export async function lookAround(server: SharedServer, interfaces = networkInterfaces()): Promise<Found> {
  const own = Object.values(interfaces).flatMap((entries) => (entries ?? []).map(({ address }) => address));
  try {
    const { address } = await lookup(server.host);
    if (!isLoopback(address) && !own.includes(address)) {
      const towards = await sourceTowards(address, server.port).catch(() => undefined);
      return { surroundings: { interfaces, ...(towards !== undefined && { towards }) }, incomplete: false };
    }
    const agent = await server.agentAddress();
    return { surroundings: { interfaces, ...(agent && { agent }) }, incomplete: false };
  } catch {
    return { surroundings: { interfaces }, incomplete: true };
  }
}

/** A connected datagram socket knows its own address; nothing is sent. */
async function sourceTowards(address: string, port: number): Promise<string | undefined> {
  const socket = createSocket(isIPv6(address) ? "udp6" : "udp4");
  try {
    socket.connect(port, address);
    await once(socket, "connect");
    const { address: own } = socket.address();
    return isLoopback(own) ? undefined : own;
  } finally {
    socket.close();
  }
}
