/** Packages that applications have or have not, loaded with the first need of them. */

import { MeshError } from "../errors.js";

/**
 * @param require of the package that needs it, so that it is found where that one is installed
 * @param version as npm takes it: `~1.14`
 * @param why what needs it and that it is not there, for the error
 * @throws {MeshError} CONFIG_INVALID where it is not installed
 */
export function requirePeer(require: (id: string) => unknown, name: string, version: string, why: string): unknown {
  try {
    return require(name);
  } catch (cause) {
    if ((cause as { readonly code?: unknown }).code !== "MODULE_NOT_FOUND") throw cause;
    throw new MeshError("CONFIG_INVALID", `${why}; run npm install ${name}@${version}`, { cause });
  }
}
