/**
 * A process of one kind of server, started as any application is. Two listeners, v1 and v2, do the same under their
 * own names; a third one tells what became of requests. Arguments: the kind. An explicit one makes its mesh itself.
 */

import { once } from "node:events";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { setTimeout as delay } from "node:timers/promises";
import { createMesh } from "@inmesh/node";
import { behaviour, Memory, type Seen } from "./behaviour.js";
import { EXPLICIT_SERVERS, type ServerName } from "./server-kind.js";
import { SERVERS } from "./server-kinds.js";

/** How long a client that asks waits at most, and how often is looked meanwhile. In ms. */
const PATIENCE_MS = 8_000;
const LOOK_MS = 10;

const id = process.argv[2] as ServerName;
const kind = await SERVERS[id]();
const mesh = EXPLICIT_SERVERS.has(id) ? await createMesh() : undefined;
if (mesh !== undefined) {
  process.once("SIGTERM", () => void mesh.drain().then(() => process.kill(process.pid, "SIGTERM")));
}
const memory = new Memory();
const asks = { memory, ask: mesh?.fetch ?? fetch };
const v1 = await kind.listen(behaviour({ ...asks, version: "v1" }), mesh);
const v2 = await kind.listen(behaviour({ ...asks, version: "v2" }), mesh);
const control = createServer(async (request, response) => {
  const { pathname, searchParams } = new URL(request.url ?? "/", "http://self");
  const seen = memory.get(searchParams.get("key") ?? "");
  if (pathname === "/release") seen.release();
  if (pathname === "/until" && !(await comesTo(seen, JSON.parse(searchParams.get("least") ?? "{}"))))
    response.statusCode = 504;
  response.end(JSON.stringify(seen));
});
await once(control.listen(0, "127.0.0.1"), "listening");

const { name, lacks } = kind;
console.log(JSON.stringify({ name, lacks, pid: process.pid, v1: port(v1), v2: port(v2), control: port(control) }));

// Started by a runner that is gone: so is the reason to be here.
const parent = process.ppid;
setInterval(() => process.ppid !== parent && process.exit(1), 1_000).unref();

async function comesTo(seen: Seen, least: Partial<Seen>): Promise<boolean> {
  const wanted = Object.entries(least) as [keyof Seen, number][];
  for (let waited = 0; waited < PATIENCE_MS; waited += LOOK_MS) {
    if (wanted.every(([what, count]) => seen[what] >= count)) return true;
    await delay(LOOK_MS);
  }
  return false;
}

function port(server: Server): number {
  return (server.address() as AddressInfo).port;
}
