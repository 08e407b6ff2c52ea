/** Ports that nobody had a moment ago: Consul cannot be told to take any free one. */

import { once } from "node:events";
import { createServer } from "node:net";

export async function freePorts(count: number): Promise<readonly number[]> {
  // All at once, so that no two are the same.
  const servers = Array.from({ length: count }, () => createServer().listen(0, "127.0.0.1"));
  await Promise.all(servers.map((server) => once(server, "listening")));
  const ports = servers.map((server) => (server.address() as { port: number }).port);
  await Promise.all(servers.map((server) => once(server.close(), "close")));
  return ports;
}
