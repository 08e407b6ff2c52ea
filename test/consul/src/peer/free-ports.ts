/**
 * Ports that nobody has: Consul cannot be told to take any free one. From below the range of which systems give connections
 * theirs (32768 on Linux, 49152 elsewhere), or the next connection of any process may take one before Consul does.
 */

import { once } from "node:events";
import { createServer, type Server } from "node:net";

const FIRST = 20_000;
const COUNT = 12_000;

export async function freePorts(count: number): Promise<readonly number[]> {
  const servers: Server[] = [];
  try {
    // All held at once, so that no two are the same.
    while (servers.length < count) {
      const server = await listening(FIRST + Math.floor(Math.random() * COUNT));
      if (server !== undefined) servers.push(server);
    }
    return servers.map((server) => (server.address() as { port: number }).port);
  } finally {
    await Promise.all(servers.map((server) => once(server.close(), "close")));
  }
}

/** Undefined where somebody has the port. */
async function listening(port: number): Promise<Server | undefined> {
  const server = createServer().listen(port, "127.0.0.1");
  try {
    await once(server, "listening");
    return server;
  } catch {
    return undefined;
  }
}
