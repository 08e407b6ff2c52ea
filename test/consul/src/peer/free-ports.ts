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

/** Between their choice and their use somebody else may take one. */
const ATTEMPTS = 3;

/** @param start leaves nothing behind when it throws, with what the process that found a port taken says of it */
export async function onFreePorts<T>(count: number, start: (ports: readonly number[]) => Promise<T>): Promise<T> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await start(await freePorts(count));
    } catch (error) {
      if (attempt === ATTEMPTS || !/address already in use/.test(String(error))) throw error;
    }
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
