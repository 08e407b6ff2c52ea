/** An upstream of its own process, so that its CPU is not counted: answers every request with 865 bytes of JSON. */

import type { ChildProcess } from "node:child_process";
import { once } from "node:events";
import { createServer, type RequestListener } from "node:http";
import { createServer as createSecureServer } from "node:https";
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

/** PEM. A server that has them asks its clients for a certificate of `ca`. */
export interface UpstreamTls {
  readonly ciphers: string;
  readonly cert: string;
  readonly key: string;
  readonly ca: readonly string[];
}

/**
 * @param count ports it listens on
 * @param tls undefined: in plaintext
 */
export async function startUpstream(count = 1, tls?: UpstreamTls): Promise<Upstream> {
  const child: ChildProcess = forkPinned(fileURLToPath(import.meta.url), ["serve", String(count)], OTHER_CPU, []);
  child.send({ tls });
  const [message] = await once(child, "message");
  const { ports, pid } = message as { ports: number[]; pid: number };
  return { port: ports[0]!, ports, pid, stop: () => void child.kill() }; // at least one
}

const answer: RequestListener = (request, response) => {
  request.resume();
  response.writeHead(200, { "content-type": "application/json", "content-length": Buffer.byteLength(BODY) });
  response.end(BODY);
};

function serve({ tls }: { readonly tls?: UpstreamTls }): void {
  const servers = Array.from({ length: Number(process.argv[3]) }, () => {
    const server = tls
      ? createSecureServer({ ...tls, ca: [...tls.ca], requestCert: true, rejectUnauthorized: true }, answer)
      : createServer(answer);
    server.keepAliveTimeout = 60_000;
    return server.listen(0, "127.0.0.1");
  });
  const ports = servers.map(async (server) => {
    await once(server, "listening");
    const address = server.address();
    return typeof address === "object" ? address?.port : 0;
  });
  void Promise.all(ports).then((listening) => process.send?.({ ports: listening, pid: process.pid }));
}

if (process.argv[2] === "serve" && process.send !== undefined) {
  process.once("message", serve);
  process.on("disconnect", () => process.exit());
}
