/** Puts a mesh into the seams of the process: its servers and its HTTP clients. */

import { installGlobalDispatcher, patchHttp, patchServers, patchUndici, type ServerHooks } from "@inmesh/http/seams";
import type { DataPlane } from "../plane/data-plane.js";
import type { Seam } from "../settings/options.js";
import { lazyClient } from "./lazy-client.js";

/**
 * @param plane asked for with the first request, call or listening server
 * @returns takes everything back
 */
export function patchSeams(seams: readonly Seam[], plane: () => DataPlane): () => void {
  const client = lazyClient(() => plane().client);
  const patches: Readonly<Record<Seam, () => () => void>> = {
    server: () => patchServers(lazyHooks(plane)),
    fetch: () => installGlobalDispatcher(client),
    undici: () => patchUndici(client),
    http: () => patchHttp(client),
  };
  const undos = seams.map((seam) => patches[seam]());
  return () => {
    for (const undo of undos.reverse()) undo();
  };
}

function lazyHooks(plane: () => DataPlane): ServerHooks {
  return {
    listening: (server) => plane().servers.listening(server),
    closed: (server) => plane().servers.closed(server),
    request: (request, response, server, work) => plane().servers.request(request, response, server, work),
    upgrade: (request, work) => plane().servers.upgrade(request, work),
    closedByMesh: (server) => plane().servers.closedByMesh(server),
  };
}
