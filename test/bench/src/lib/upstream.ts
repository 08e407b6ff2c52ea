/** An upstream of its own process, so that its CPU is not counted: answers every request with 865 bytes of JSON. */

import type { ChildProcess } from "node:child_process";
import { once } from "node:events";
import { createServer } from "node:http";
import { fileURLToPath } from "node:url";
import { forkPinned, OTHER_CPU } from "./pinned.js";

/** A small answer, as the figures of performance.md were taken with. */
export const BODY = JSON.stringify({ id: 42, reviews: "x".repeat(838) });

export interface Upstream {
  /** The first one. */
  readonly port: number;
  readonly ports: readonly number[];
  readonly pid: number;
  stop(): void;
}

/** @param count ports it listens on */
export async function startUpstream(count = 1): Promise<Upstream> {
  const child: ChildProcess = forkPinned(fileURLToPath(import.meta.url), ["serve", String(count)], OTHER_CPU, []);
  const [message] = await once(child, "message");
  const { ports, pid } = message as { ports: number[]; pid: number };
  return { port: ports[0]!, ports, pid, stop: () => void child.kill() }; // at least one
}

if (process.argv[2] === "serve" && process.send !== undefined) {
  const servers = Array.from({ length: Number(process.argv[3]) }, () => {
    const server = createServer((request, response) => {
      request.resume();
      response.writeHead(200, { "content-type": "application/json", "content-length": Buffer.byteLength(BODY) });
      response.end(BODY);
    });
    server.keepAliveTimeout = 60_000;
    return server.listen(0, "127.0.0.1");
  });
  const ports = servers.map(async (server) => {
    await once(server, "listening");
    const address = server.address();
    return typeof address === "object" ? address?.port : 0;
  });
  void Promise.all(ports).then((listening) => process.send?.({ ports: listening, pid: process.pid }));
  process.on("disconnect", () => process.exit());
}
