/**
 * envoy.service.status.v3.ClientStatusDiscoveryService over gRPC, for grpcdebug and its like: what the control plane told this
 * process. Off unless setting `csds` names an address; who may ask is decided as for the admin endpoint. No web page speaks
 * HTTP/2 in plain text, so no Host is looked at.
 */

import { createServer, type Http2Server } from "node:http2";
import type { AddressInfo } from "node:net";
import { exemptServer } from "@inmesh/http/server";
import { clientStatusHandler } from "@inmesh/xds/status";
import type { DataPlane } from "../plane/data-plane.js";
import { VERSION } from "../version.js";
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
  const at = address.lastIndexOf(":");
  const bound = await listen(server, address.slice(0, at).replace(/^\[|\]$/g, ""), Number(address.slice(at + 1)));
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

function listen(server: Http2Server, host: string, port: number): Promise<AddressInfo> {
  return new Promise((resolve, reject) => {
    server.once("error", reject);
    server.listen({ host, port, exclusive: true }, () => {
      server.removeListener("error", reject);
      resolve(server.address() as AddressInfo); // bound to a port
    });
  });
}
