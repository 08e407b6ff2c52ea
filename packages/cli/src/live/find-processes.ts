/** Processes by what people call them: the instance, or the service for any of its instances. */

import type { Lease } from "@inmesh/core";
import { CliError, EXIT } from "../exit.js";
import { parseServiceName } from "../registry/client-context.js";
import { processName } from "./processes.js";

/**
 * @param name `web-1b20`, `shop/web-1b20`, `web`, `shop/web`, `web.shop`; without a namespace of any, those of `namespace` first
 * @returns the one of that name, or all of the service
 * @throws {CliError} when there is none
 */
export function findProcesses(leases: readonly Lease[], name: string, namespace: string): readonly Lease[] {
  const [before, after] = name.includes("/") ? name.split("/", 2) : [undefined, name];
  const isCalled = (lease: Lease): boolean => lease.instance === after || processName(lease).endsWith(`/${after}`);
  const exact = leases.filter((lease) => isCalled(lease) && (before === undefined || lease.namespace === before));
  if (exact.length === 1) return exact;
  const wanted = parseServiceName(name, namespace);
  const ofService = leases.filter(({ service }) => service === wanted.service);
  const found = ofService.filter((lease) => lease.namespace === wanted.namespace);
  if (found.length > 0) return found;
  const isBare = !/[/.]/.test(name);
  if (isBare && new Set(ofService.map((lease) => lease.namespace)).size === 1) return ofService;
  const text = `no process of ${wanted.namespace}/${wanted.service} is registered`;
  throw new CliError(EXIT.bad, text, "See which are: inmesh status");
}
