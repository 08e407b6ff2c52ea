/** How a lease is called in every registry. */

import { MeshError } from "../errors.js";
import type { LeaseSpec } from "./source.js";

/** RFC 1123. */
const LABEL = /^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$/;

export function isDnsLabel(text: string): boolean {
  return LABEL.test(text);
}

/**
 * `<namespace>.<service>.<instance>`: each part a DNS label, so that the name is safe as a file name and says one thing.
 * @throws {MeshError} CONFIG_INVALID
 */
export function leaseName({
  namespace,
  service,
  instance,
}: Pick<LeaseSpec, "namespace" | "service" | "instance">): string {
  for (const [what, value] of Object.entries({ namespace, service, instance })) {
    if (LABEL.test(value)) continue;
    throw new MeshError(
      "CONFIG_INVALID",
      `${what} ${JSON.stringify(value)} is no DNS label: expected 1 to 63 of a-z, 0-9 and "-", with a letter or digit at both ends`,
    );
  }
  return `${namespace}.${service}.${instance}`;
}
