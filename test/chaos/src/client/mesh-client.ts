import { createMesh } from "@inmesh/node";
import type { Client } from "./client.js";

export interface MeshClient extends Client {
  /** Empty where it is switched off. */
  readonly adminUrl: string;
}

/**
 * A mesh of its own, with breakers, budgets and ejections that nobody else has seen.
 * @param seen by others: with an admin endpoint, and registered
 */
export async function meshClient(service: string, seen: boolean): Promise<MeshClient> {
  const mesh = await createMesh({ service: "caller", ...(!seen && { admin: "off", lease: "never" }) });
  await mesh.ready();
  // Whoever is refused is not in force, and its scenario would judge the defaults.
  if (mesh.status.state !== "ready") throw new Error(`the policy is not in force: ${JSON.stringify(mesh.status)}`);
  return {
    adminUrl: mesh.adminUrl ?? "",
    async send({ path, method, headers, body }) {
      const reply = await mesh.fetch(`http://${service}${path}`, {
        method,
        headers: { ...headers },
        ...(body !== undefined && { body }),
      });
      const code = reply.headers.get("x-inmesh-error");
      return { status: reply.status, text: await reply.text(), ...(code !== null && { code }) };
    },
    close: () => mesh.close(),
  };
}
