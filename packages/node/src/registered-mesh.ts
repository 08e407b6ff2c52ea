/** The mesh that `@inmesh/node/register` put into this process. */

import { type Runtime, runtimeOf } from "./boot/runtime.js";
import type { Mesh } from "./mesh.js";

/** @returns undefined when register was not loaded, or runs with mode `off` */
export function registeredMesh(): Mesh | undefined {
  const runtime: Runtime | undefined = runtimeOf(globalThis);
  return runtime?.mesh();
}
