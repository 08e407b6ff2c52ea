/** A mesh whose registry, in memory, holds what a test writes; and what is behind it. */

import { MemoryRegistry } from "@inmesh/core";
import type { GrpcClient } from "@inmesh/grpc";
import { parseDocuments } from "@inmesh/model";
import { createMesh, type Mesh } from "@inmesh/node";
import { expect } from "vitest";
import { type ConnectedMesh, PLANE } from "../../../../packages/node/src/connected-mesh.js";
import type { DataPlane } from "../../../../packages/node/src/plane/data-plane.js";
import { grpcClient } from "../../../../packages/node/src/plane/grpc-client.js";

/** Resolves when it is ready. */
export async function startMesh(yaml: string, closing: (() => unknown)[], service = "web"): Promise<Mesh> {
  const { documents, problems } = parseDocuments(yaml, { file: "policy.yaml", namespace: "default" });
  expect(problems).toEqual([]);
  const registry = new MemoryRegistry();
  await registry.apply(documents);
  const options = { propagationDelayMs: 0, admin: "off", log: "error", identity: "off" } as const;
  const mesh = await createMesh({ service, config: registry, ...options });
  closing.push(() => mesh.close());
  await mesh.ready();
  return mesh;
}

export function planeOf(mesh: Mesh): DataPlane {
  return (mesh as unknown as ConnectedMesh)[PLANE];
}

export function grpcClientOf(mesh: Mesh): GrpcClient {
  return grpcClient(planeOf(mesh));
}
