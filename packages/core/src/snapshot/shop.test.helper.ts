/** Instances of services of namespace `shop`, each at a port of its own: the digits of its name. */

import type { Workload } from "@inmesh/model";
import { lease } from "../testing/registry-cases.js";
import type { Lease } from "./source.js";

export function shopLease(service: string, instance: string, more: Partial<Lease> = {}): Lease {
  const number = 3_000 + Number(instance.replaceAll(/\D/g, ""));
  const ports = [{ name: "http", number }];
  return { ...lease(instance), service, ports, name: `shop.${service}.${instance}`, ...more };
}

/** Registered by others. */
export function shopWorkload(service: string, name: string, more: Partial<Workload> = {}): Workload {
  const ports = [{ name: "http", number: 4_000 + Number(name.replaceAll(/\D/g, "")) }];
  return {
    name,
    namespace: "shop",
    service,
    address: "10.0.0.9",
    ports,
    labels: {},
    weight: 1,
    healthy: true,
    ...more,
  };
}
