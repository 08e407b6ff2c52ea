/** The service that apps call: reviews of a bookshop, and one package as a registry of npm tells of it. */

import { createHash } from "node:crypto";
import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";

export interface Upstream extends AsyncDisposable {
  readonly port: number;
}

const TARBALL = Buffer.from("not really a package");

export async function startUpstream(): Promise<Upstream> {
  const server = createServer((request, response) => {
    const { url = "", method } = request;
    if (url.endsWith(".tgz")) return void response.setHeader("content-type", "application/octet-stream").end(TARBALL);
    if (!url.startsWith("/left") && !url.startsWith("/api/")) return void response.writeHead(404).end("{}");
    const base = `http://${request.headers.host}`;
    const found = url.startsWith("/left") ? packument(base) : { id: url.split("/").at(-1), method, stars: 4 };
    response.setHeader("content-type", "application/json").end(JSON.stringify(found));
  }).listen(0, "127.0.0.1");
  await once(server, "listening");
  return {
    port: (server.address() as AddressInfo).port,
    [Symbol.asyncDispose]: async () => {
      server.closeAllConnections();
      server.close();
      await once(server, "close");
    },
  };
}

function packument(base: string): object {
  const dist = {
    tarball: `${base}/left/-/left-1.0.0.tgz`,
    shasum: createHash("sha1").update(TARBALL).digest("hex"),
  };
  const version = { name: "left", version: "1.0.0", description: "one of two sides", dist };
  return {
    name: "left",
    "dist-tags": { latest: "1.0.0" },
    versions: { "1.0.0": version },
    time: {
      "1.0.0": "2026-11-21T00:00:00.000Z",
      modified: "2026-11-21T00:00:00.000Z",
      created: "2026-11-21T00:00:00.000Z",
    },
  };
}
