/**
 * Applications whose routes ignore the case of paths, as Express does unless told otherwise: what policy says of `/admin`
 * must hold for `/ADMIN`, too. No field of Istio's says so; it is a property of the application, so whoever speaks about its
 * workloads may say it: an AuthorizationPolicy that means them, their Namespace, or that of the root for the whole mesh.
 */

import type { Resource } from "../resource.js";

/** "true": every rule about the workloads that the document means compares paths without case. */
export const PATH_CASE_ANNOTATION = "inmesh.dev/ignore-path-case";

export function saysThatPathCaseIsIgnored(documents: readonly Resource[]): boolean {
  return documents.some(({ metadata }) => metadata.annotations[PATH_CASE_ANNOTATION] === "true");
}
