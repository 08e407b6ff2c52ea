/**
 * envoy.service.status.v3.ClientStatusDiscoveryService over gRPC, for grpcdebug and its like: what the control plane told this
 * process. Off unless setting `csds` names an address; who may ask is decided as for the admin endpoint. No web page speaks
 * HTTP/2 in plain text, so no Host is looked at.
 */

import { createServer } from "node:http2";
import { exemptServer } from "@inmesh/http/server";
import { clientStatusHandler } from "@inmesh/xds/status";
import type { DataPlane } from "../plane/data-plane.js";
import { VERSION } from "../version.js";
import { bind } from "./bind.js";
import { judgeStranger } from "./guard.js";

export interface ClientStatusServer {
  /** `127.0.0.1:50051` */
  readonly address: string;
  close(): Promise<void>;
}

/** @param address `host:port` @throws {NodeJS.ErrnoException} when it cannot be bound */
export async function openClientStatus(plane: DataPlane, address: string): Promise<ClientStatusServer> {
  const server = exemptServer(createServer());
  const sessions = new Set<{ destroy(): void }>();
  server.on("session", (session) => {
    sessions.add(session);
    session.socket.unref(); // whoever watches keeps no process alive
    session.on("close", () => sessions.delete(session));
    session.on("error", () => {}); // theirs
  });
  const { adminToken } = plane.settings;
  server.on(
    "stream",
    clientStatusHandler({
      judge: (socket, headers) => judgeStranger({ socket, headers }, adminToken),
      status: () => {
        const { xds } = plane;
        return xds && { node: xds.node, version: VERSION, resources: xds.resources() };
      },
    }),
  );
  const bound = await bind(server, address);
  server.unref();
  const host = bound.address.includes(":") ? `[${bound.address}]` : bound.address;
  return {
    address: `${host}:${bound.port}`,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        for (const session of sessions) session.destroy();
      }),
  };
}
