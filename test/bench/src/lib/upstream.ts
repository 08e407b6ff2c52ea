/** An upstream of its own process, so that its CPU is not counted: answers every request with 865 bytes of JSON. */

import type { ChildProcess } from "node:child_process";
import { once } from "node:events";
import { createServer } from "node:http";
import { fileURLToPath } from "node:url";
import { forkPinned, OTHER_CPU } from "./pinned.js";

/** A small answer, as the figures of performance.md were taken with. */
export const BODY = JSON.stringify({ id: 42, reviews: "x".repeat(838) });

export interface Upstream {
  readonly port: number;
  readonly pid: number;
  stop(): void;
}

export async function startUpstream(): Promise<Upstream> {
  const child: ChildProcess = forkPinned(fileURLToPath(import.meta.url), ["serve"], OTHER_CPU, []);
  const [message] = await once(child, "message");
  const { port, pid } = message as { port: number; pid: number };
  return { port, pid, stop: () => void child.kill() };
}

if (process.argv[2] === "serve" && process.send !== undefined) {
  const server = createServer((request, response) => {
    request.resume();
    response.writeHead(200, { "content-type": "application/json", "content-length": Buffer.byteLength(BODY) });
    response.end(BODY);
  });
  server.keepAliveTimeout = 60_000;
  server.listen(0, "127.0.0.1", () => {
    const address = server.address();
    process.send?.({ port: typeof address === "object" ? address?.port : 0, pid: process.pid });
  });
  process.on("disconnect", () => process.exit());
}
