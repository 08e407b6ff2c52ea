/** A process of one family of clients, started as any application is: runs every scenario against every server. */

import { createMesh, type Mesh } from "@inmesh/node";
import type { Client } from "./client/client.js";
import { FAMILIES, type FamilyName } from "./client/families.js";
import { DrainLoad } from "./drain-load.js";
import { GROUPS } from "./groups.js";
import type { Cell, FromClients, ServerFacts, ToClients } from "./messages.js";
import { runCell } from "./run-cell.js";
import { concerns, meets } from "./scenario.js";
import { Trial } from "./trial.js";

/** Of scenarios that compute, and of those that wait. */
const AT_ONCE = 6;
const WAITING_AT_ONCE = 32;

let ending = false;
let mesh: Mesh | undefined;
let clients: readonly Client[] = [];
let load: DrainLoad | undefined;
let family: FamilyName;
let servers: readonly ServerFacts[] = [];

process.on("message", (message: ToClients) => {
  take(message).catch((error: Error) => tell({ type: "failed", error: String(error.stack) }));
});

process.on("disconnect", () => ending || process.exit(1)); // the runner is gone

async function take(message: ToClients): Promise<void> {
  switch (message.type) {
    case "run":
      ({ family, servers } = message);
      // Not "warn": mesh.agent() says once that it only routes.
      if (!FAMILIES[family].zeroCode) mesh = await createMesh({ service: `${family}-clients`, log: "error" });
      clients = FAMILIES[family].clients(mesh);
      return tell({ type: "cells", cells: await runAll() });
    case "load":
      load = new DrainLoad(clients, servers, () => tell({ type: "spread" }));
      return load.start();
    case "stop":
      return tell({ type: "cells", cells: (await load!.stop()).map((cell) => ({ ...cell, family })) }); // after "load"
    case "end":
      ending = true;
      await mesh?.close();
      process.disconnect(); // and nothing must be left that keeps the process
  }
}

async function runAll(): Promise<Cell[]> {
  await warmUp();
  const work = clients
    .flatMap((client) =>
      serversOf(client).flatMap((server) =>
        GROUPS.filter((group) => concerns(group, server.id)).flatMap((group) =>
          group.scenarios.map((scenario) => ({ client, server, group, scenario })),
        ),
      ),
    )
    .map((each, index) => ({ ...each, index }));
  const cells: Cell[] = []; // in the order of the manifest
  const drainQueue = async (queue: typeof work): Promise<void> => {
    for (let next = queue.shift(); next !== undefined; next = queue.shift()) {
      cells[next.index] = { ...(await runCell(next)), family };
    }
  };
  const waiting = work.filter(({ scenario }) => scenario.waits);
  const quick = work.filter(({ scenario }) => !scenario.waits && !scenario.alone);
  // One kind after the other: those that wait judge by the clock.
  await Promise.all(Array.from({ length: WAITING_AT_ONCE }, () => drainQueue(waiting)));
  await Promise.all(Array.from({ length: AT_ONCE }, () => drainQueue(quick)));
  await drainQueue(work.filter(({ scenario }) => scenario.alone));
  return cells;
}

/** First calls load and compile; limits are for those that follow. */
async function warmUp(): Promise<void> {
  for (const client of clients) {
    for (const { id, control } of serversOf(client))
      await new Trial({ client, base: `http://${id}`, control }).ask("/echo");
  }
}

function serversOf(client: Client): readonly ServerFacts[] {
  return servers.filter(({ id }) => meets(client.name, id));
}

function tell(message: FromClients): void {
  process.send?.(message);
}
