/** Puts a mesh into the seams of the process: its servers and its HTTP clients. */

import { patchServers, type ServerHooks } from "@inmesh/http/server";
import type { DataPlane } from "../plane/data-plane.js";
import type { Seam } from "../settings/options.js";
import { patchFetch } from "./fetch-seam.js";

/**
 * @param plane asked for with the first request, call or listening server
 * @returns takes everything back
 */
export function patchSeams(seams: readonly Seam[], plane: () => DataPlane): () => void {
  const undos: (() => void)[] = [];
  if (seams.includes("server")) undos.push(patchServers(lazyHooks(plane)));
  if (seams.includes("fetch")) undos.push(patchFetch(() => plane().client));
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
