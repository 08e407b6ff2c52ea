/** A mesh whose registry, in memory, holds what a test writes in YAML. */

import { MemoryRegistry } from "@inmesh/core";
import { parseDocuments } from "@inmesh/model";
import { expect } from "vitest";
import { createMesh } from "../src/create-mesh.js";
import type { Mesh } from "../src/mesh.js";

/**
 * Resolves when it is ready.
 * @param closing where what is to be closed after the test is kept
 * @param file as which the documents are explained
 */
export async function meshOfYaml(
  yaml: string,
  service: string,
  closing: (() => unknown)[],
  file = "policy.yaml",
): Promise<Mesh> {
  const { documents, problems } = parseDocuments(yaml, { file });
  expect(problems).toEqual([]);
  const registry = new MemoryRegistry();
  await registry.apply(documents);
  const mesh = await createMesh({ service, config: registry, propagationDelayMs: 0 });
  closing.push(() => mesh.close());
  await mesh.ready();
  return mesh;
}
