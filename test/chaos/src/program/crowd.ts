/** Many callers of one service: each has a mesh, and so connections and TLS tickets of its own, and calls once in a while. */

import { setTimeout as delay } from "node:timers/promises";
import { createMesh, type Mesh } from "@inmesh/node";
import type { FromCrowd, ToCrowd } from "../messages.js";

const CALLERS = Number(process.env["CHAOS_CALLERS"] ?? "1");
const EVERY_MS = Number(process.env["CHAOS_EVERY_MS"] ?? "1000");
/** Callers that connect for the first time side by side. */
const AT_A_TIME = 5;

const failures: Record<string, number> = {};
let sent = 0;
let finished = false;
process.on("message", ({ type }: ToCrowd) => {
  finished = type === "finish";
});
process.on("disconnect", () => process.exit(1)); // the chaos is gone

const meshes: Mesh[] = [];
for (let started = 0; started < CALLERS; started += AT_A_TIME) {
  const some = Array.from({ length: Math.min(AT_A_TIME, CALLERS - started) }, startMesh);
  meshes.push(...(await Promise.all(some)));
}
tell({ type: "ready" });
await Promise.all(meshes.map(callOn));
tell({ type: "ended", sent, failures });
await Promise.all(meshes.map((mesh) => mesh.close()));
process.disconnect();

async function startMesh(): Promise<Mesh> {
  const mesh = await createMesh({ service: "caller", admin: "off", lease: "never" });
  await mesh.ready();
  await mesh.fetch("http://shelf/first").then((reply) => reply.arrayBuffer());
  return mesh;
}

async function callOn(mesh: Mesh, index: number): Promise<void> {
  await delay((EVERY_MS * index) / meshes.length); // or all of them would call in one moment
  while (!finished) {
    sent += 1;
    const reason = await call(mesh);
    if (reason !== "") failures[reason] = (failures[reason] ?? 0) + 1;
    await delay(EVERY_MS);
  }
}

/** @returns why it failed; empty where it did not */
async function call(mesh: Mesh): Promise<string> {
  try {
    const reply = await mesh.fetch(`http://shelf/crowd-${sent}`);
    await reply.arrayBuffer();
    return reply.status === 200 ? "" : (reply.headers.get("x-inmesh-error") ?? `status ${reply.status}`);
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}

function tell(message: FromCrowd): void {
  process.send?.(message);
}
