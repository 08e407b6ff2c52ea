/**
 * A service as teams write them, under the mesh by `--import`: it says what it was asked and by whom, and calls others when
 * told to. Nothing in it knows of TLS.
 */

import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { registeredMesh } from "@inmesh/node";
import type { Answered, FromService, Told } from "./messages.js";

const { INMESH_SERVICE = "" } = process.env;

const server = createServer((request, response) => {
  const peer = registeredMesh()?.peer()?.id ?? null;
  const chunks: Buffer[] = [];
  request.on("data", (chunk: Buffer) => chunks.push(chunk));
  request.on("end", () => {
    const { method = "", url = "", headers } = request;
    const told: Told = {
      ...{ service: INMESH_SERVICE, pid: process.pid, method, url, headers },
      encrypted: (request.socket as { encrypted?: boolean }).encrypted === true,
      ...{ peer, body: Buffer.concat(chunks).toString() },
    };
    response.setHeader("content-type", "application/json");
    response.end(JSON.stringify(told));
  });
});
server.listen(0, "127.0.0.1", () => {
  const { port } = server.address() as AddressInfo;
  tell({ type: "listening", port });
});

process.on("message", (message: { id: number; url: string; init?: RequestInit }) => void call(message));
process.on("disconnect", () => process.exit(1)); // the test is gone

async function call({ id, url, init }: { id: number; url: string; init?: RequestInit }): Promise<void> {
  tell({ type: "answered", id, answer: await ask(url, init) });
}

async function ask(url: string, init?: RequestInit): Promise<Answered> {
  try {
    const response = await fetch(url, init);
    return {
      ...{ status: response.status, headers: Object.fromEntries(response.headers), text: await response.text() },
    };
  } catch (error) {
    return { status: 0, headers: {}, text: "", error: errorOf(error) };
  }
}

/** The innermost error with a code; libraries wrap what happened. */
function errorOf(error: unknown): { code: string; message: string } {
  let found = { code: "", message: String(error) };
  for (let at = error; at instanceof Error; at = at.cause) {
    const { code } = at as { code?: unknown };
    if (typeof code === "string") found = { code, message: at.message };
  }
  return found;
}

function tell(message: FromService): void {
  process.send?.(message);
}
