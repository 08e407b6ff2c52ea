/** Every case by the name its process is started with. Loaded one by one: what a rival loads must not weigh on the others. */

import type { RequestCase } from "./request-case.js";

export async function loadCase(name: string): Promise<RequestCase> {
  const { MESH_CASES } = await import("./mesh-cases.js");
  const found = MESH_CASES[name] ?? (await import("./rival-cases.js")).RIVAL_CASES[name];
  if (found === undefined) throw new Error(`no case "${name}"`);
  return found;
}
