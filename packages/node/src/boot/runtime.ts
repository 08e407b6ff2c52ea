/** What two copies of this package in one process know of each other: the first one runs, a later one joins (pitfalls K6). */

import type { Mesh } from "../mesh.js";

export interface Runtime {
  /** Of the copy that runs. */
  readonly version: string;
  /** Made on demand. Undefined while the mesh is off. */
  mesh(): Mesh | undefined;
}

const KEY: unique symbol = Symbol.for("@inmesh/runtime@1");

interface Holder {
  [KEY]?: Runtime;
}

export function runtimeOf(holder: object): Runtime | undefined {
  return (holder as Holder)[KEY];
}

/** @throws {TypeError} where globalThis is frozen: the process then has a runtime that copies do not find */
export function setRuntime(holder: object, runtime: Runtime): void {
  Object.defineProperty(holder, KEY, { value: runtime, configurable: true });
}
