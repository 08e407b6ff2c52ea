/** Every case by the name its process is started with. Loaded one by one: what a rival loads must not weigh on the others. */

import { MESH_CASES } from "./mesh-cases.js";
import type { RequestCase } from "./request-case.js";

export const CLIENTS = ["fetch", "node:http", "axios", "got"] as const;

export async function loadCase(name: string): Promise<RequestCase> {
  const found = MESH_CASES[name] ?? (await loadOther(name))[name];
  if (found === undefined) throw new Error(`no case "${name}"`);
  return found;
}

async function loadOther(name: string): Promise<Readonly<Record<string, RequestCase>>> {
  if ((CLIENTS as readonly string[]).includes(name)) return (await import("./client-cases.js")).CLIENT_CASES;
  if (name.startsWith("mtls")) return (await import("./mtls-case.js")).MTLS_CASES;
  return (await import("./rival-cases.js")).RIVAL_CASES;
}
