/** Puts a mesh into the seams of the process: its servers and its HTTP clients. */

import type { GrpcClient } from "@inmesh/grpc";
import { patchGrpc } from "@inmesh/grpc/seams";
import {
  installGlobalDispatcher,
  patchHttp,
  patchHttp2,
  patchServers,
  patchUndici,
  type ServerHooks,
  tellOfUnseenUndici,
  UndiciWatcher,
  watchFastify,
} from "@inmesh/http/seams";
import type { DataPlane } from "../plane/data-plane.js";
import type { Seam } from "../settings/options.js";
import { lazyClient } from "./lazy-client.js";

/**
 * @param mode observe: what can be listened to is not patched
 * @param plane asked for with the first request, call or listening server
 * @param grpc of that plane; asked for with the first channel of grpc-js
 * @returns takes everything back
 */
export function patchSeams(
  seams: readonly Seam[],
  mode: "on" | "observe",
  plane: () => DataPlane,
  grpc: (plane: DataPlane) => GrpcClient,
): () => void {
  const client = lazyClient(() => plane().client);
  const patches: Readonly<Record<Seam, () => () => void>> = {
    server: () => patchServers(lazyHooks(plane)),
    fetch: () => installGlobalDispatcher(client),
    undici: () => {
      const undos = [
        patchUndici(client),
        tellOfUnseenUndici({
          client: () => client,
          connects: () => plane().transport.connects,
        }),
      ];
      return () => {
        for (const undo of undos) undo();
      };
    },
    http: () => {
      const undos = [patchHttp(client), patchHttp2(client)];
      return () => {
        for (const undo of undos) undo();
      };
    },
    grpc: () => patchGrpc({ channel: (...asked) => grpc(plane()).hooked(...asked) }),
  };
  const watcher = new UndiciWatcher(() => client);
  const listens = mode === "observe" && seams.some(isUndici);
  const patched = listens ? seams.filter((seam) => !isUndici(seam)) : seams;
  const undos = patched.map((seam) => patches[seam]());
  if (listens) undos.push(watcher.all());
  if (mode === "on" && seams.includes("server")) undos.push(watchFastify());
  return () => {
    for (const undo of undos.reverse()) undo();
  };
}

/** One set of channels tells of both. */
function isUndici(seam: Seam): boolean {
  return seam === "fetch" || seam === "undici";
}

function lazyHooks(plane: () => DataPlane): ServerHooks {
  return {
    listening: (server) => plane().servers.listening(server),
    closed: (server) => plane().servers.closed(server),
    connection: (server, socket, handOver) => plane().servers.connection(server, socket, handOver),
    tcpConnection: (server, socket, handOver) => plane().servers.tcpConnection(server, socket, handOver),
    cut: (server) => plane().servers.cut(server),
    request: (request, response, server, work) => plane().servers.request(request, response, server, work),
    upgrade: (request, work, received) => plane().servers.upgrade(request, work, received),
    session: (session, server) => plane().servers.session(session, server),
    stream: (stream, head, server, work) => plane().servers.stream(stream, head, server, work),
    closedByMesh: (server) => plane().servers.closedByMesh(server),
  };
}
