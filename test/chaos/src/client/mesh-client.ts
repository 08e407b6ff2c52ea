import { createMesh } from "@inmesh/node";
import type { Client } from "./client.js";

/** A mesh of its own, with breakers, budgets and ejections that nobody else has seen. */
export async function meshClient(service: string): Promise<Client> {
  const mesh = await createMesh({ service: "caller", admin: "off", lease: "never" });
  return {
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
