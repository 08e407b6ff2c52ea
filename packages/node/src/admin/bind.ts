/** What listens for operators, beside the ports of the application. */

import type { AddressInfo, Server } from "node:net";
import { withoutBrackets } from "@inmesh/core/internal";

/** @param address `host:port` */
export function splitAddress(address: string): { readonly host: string; readonly port: number } {
  const at = address.lastIndexOf(":");
  return { host: withoutBrackets(address.slice(0, at)), port: Number(address.slice(at + 1)) };
}

/** @param address `host:port` @throws {NodeJS.ErrnoException} when it cannot be bound */
export function bind(server: Server, address: string): Promise<AddressInfo> {
  const { host, port } = splitAddress(address);
  return new Promise((resolve, reject) => {
    server.once("error", reject);
    // In a cluster the primary would share the port among its workers; every worker has an endpoint of its own.
    server.listen({ host, port, exclusive: true }, () => {
      server.removeListener("error", reject);
      resolve(server.address() as AddressInfo); // bound to a port
    });
  });
}
