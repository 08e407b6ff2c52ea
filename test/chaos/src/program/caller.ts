/** Sends requests at a steady rate, whatever becomes of them, and tells what became of each. Several loads run at a time. */

import { setTimeout as delay } from "node:timers/promises";
import type { Client } from "../client/client.js";
import { type MeshClient, meshClient } from "../client/mesh-client.js";
import { agentClient, cockatielClient, opossumClient, retryAgentClient } from "../client/rival-clients.js";
import type { ClientKind, FromCaller, Load, Method, Outcome, ToCaller } from "../messages.js";
import { FAULT_HEADER } from "./fault-header.js";

/** Between two looks at what is due, in ms. */
const TICK_MS = 10;
/** Every limit there is has passed by then, in ms: a call without an end is lost. */
const LOST_MS = 15_000;
/** Of the caller itself, in ms. */
const STALL_EVERY_MS = 700;
const WARM_UP: Omit<Load, "name"> = { perSecond: 1, seconds: 1, posts: 0, keyedPosts: 0 };
const SERVICE = process.env["CHAOS_SERVICE"] ?? "shelf";
/** Its meshes are seen by others. */
const SEEN = process.env["CHAOS_SEEN"] === "1";

const finished = new Set<string>();
/** One client starts at a time. */
let starting: Promise<unknown> = Promise.resolve();
process.on("message", (message: ToCaller) => {
  if (message.type === "finish") finished.add(message.load);
  else void run(message.client, message.load, message.origins);
});
process.on("disconnect", () => process.exit(1)); // the chaos is gone
tell({ type: "ready" });

async function run(kind: ClientKind, load: Load, origins: readonly string[]): Promise<void> {
  const started = starting.then(() => start(kind, load, origins));
  starting = started;
  const client = await started;
  await starting; // the last of those that were asked for at the same time
  const outcomes: Promise<Outcome>[] = [];
  const startedAt = performance.now();
  const total = Math.round(load.perSecond * load.seconds);
  let lateMs = 0;
  let stallAt = startedAt + STALL_EVERY_MS;
  while (outcomes.length < total && !finished.has(load.name)) {
    const due = Math.min(total, ((performance.now() - startedAt) / 1_000) * load.perSecond);
    while (outcomes.length < due) outcomes.push(ask(client, load, outcomes.length, startedAt));
    const before = performance.now();
    await delay(TICK_MS);
    lateMs = Math.max(lateMs, performance.now() - before - TICK_MS);
    if (load.stallMs !== undefined && performance.now() > stallAt) {
      for (const until = performance.now() + load.stallMs; performance.now() < until; );
      stallAt = performance.now() + STALL_EVERY_MS;
    }
  }
  tell({ type: "outcomes", load: load.name, outcomes: await Promise.all(outcomes), lateMs });
  await client.close();
}

/** Configuration is there and code is loaded before the clock starts: what is measured are faults, not a process that starts. */
async function start(kind: ClientKind, load: Load, origins: readonly string[]): Promise<Client | MeshClient> {
  const client = await makeClient(kind, origins);
  if ("adminUrl" in client) tell({ type: "mesh", load: load.name, adminUrl: client.adminUrl });
  await ask(client, { ...WARM_UP, name: `${load.name}-first` }, 0, performance.now());
  return client;
}

function makeClient(kind: ClientKind, origins: readonly string[]): Promise<Client | MeshClient> | Client {
  switch (kind) {
    case "mesh":
      return meshClient(SERVICE, SEEN);
    case "agent":
      return agentClient(origins);
    case "opossum":
      return opossumClient(origins);
    case "cockatiel":
      return cockatielClient(origins);
    default:
      return retryAgentClient(origins);
  }
}

async function ask(client: Client, load: Load, index: number, startedAt: number): Promise<Outcome> {
  const id = `${load.name}-${index}`;
  const method = methodOf(load, index);
  const at = performance.now();
  const thing = load.things === undefined ? "" : `?thing=${(Math.imul(index, 2_654_435_761) >>> 0) % load.things}`;
  const ended = (status: number, reason: string): Outcome => {
    const ms = performance.now() - at;
    return { id, method, at: at - startedAt, ms, status, ok: reason === "", reason };
  };
  try {
    const sent = client.send({
      path: `/${id}${thing}`,
      method: method === "GET" ? "GET" : "POST",
      headers: {
        ...(load.fault && { [FAULT_HEADER]: JSON.stringify(load.fault) }),
        ...(method === "POST+key" && { "idempotency-key": id }),
      },
      body: method === "GET" ? undefined : `please do ${id}`,
      idempotent: method !== "POST",
    });
    const reply = await Promise.race([sent, delay(LOST_MS, undefined, { ref: false })]);
    if (reply === undefined) return ended(0, "no end");
    const { status, text, code } = reply;
    if (code !== undefined) return ended(status, code);
    if (status !== 200) return ended(status, `status ${status}`);
    return ended(status, text === `done ${id}` ? "" : "another answer");
  } catch (error) {
    return ended(0, reasonOf(error));
  }
}

/** Spread evenly, whatever the shares: the fractional parts of the multiples of the golden ratio. */
function methodOf({ posts, keyedPosts }: Load, index: number): Method {
  const place = (index * 0.618_033_988_75) % 1;
  if (place < posts) return "POST";
  return place < posts + keyedPosts ? "POST+key" : "GET";
}

/** The outermost code there is; libraries wrap what happened. */
function reasonOf(error: unknown): string {
  let reason = "";
  for (let at = error; at instanceof Error; at = at.cause) {
    const { code } = at as { code?: unknown };
    if (typeof code === "string") return code;
    if (reason === "") reason = at.name === "Error" ? at.message : at.name;
  }
  return reason === "" ? String(error) : reason;
}

function tell(message: FromCaller): void {
  process.send?.(message);
}
