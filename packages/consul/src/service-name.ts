/**
 * Names of services in Consul. The catalog is flat: a service of the home namespace has its own name, any other one
 * `service--namespace`; so has one of the home namespace whose own name contains `--`, or it would be read as another's.
 */

import type { ServiceRef } from "@inmesh/core";
import { isDnsLabel } from "@inmesh/core/internal";

const SEPARATOR = "--";

/** Where processes register that serve nothing, so that nobody takes them for instances of a service. */
export const CALLERS_SERVICE = "inmesh-callers";

/** @param home namespace of services that say nothing of one */
export function consulName({ namespace, service }: ServiceRef, home: string): string {
  return namespace === home && !service.includes(SEPARATOR) ? service : `${service}${SEPARATOR}${namespace}`;
}

/** `namespace/service`, by which this package keeps what it knows of a service. */
export function serviceKey({ namespace, service }: ServiceRef): string {
  return `${namespace}/${service}`;
}

/** Undefined for a name that no call of the mesh can be addressed to: it is no DNS label. */
export function serviceOf(consulName: string, home: string): ServiceRef | undefined {
  const at = consulName.lastIndexOf(SEPARATOR);
  const service = at <= 0 ? consulName : consulName.slice(0, at);
  const namespace = at <= 0 ? home : consulName.slice(at + SEPARATOR.length);
  return isDnsLabel(service) && isDnsLabel(namespace) ? { namespace, service } : undefined;
}
