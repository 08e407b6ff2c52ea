/** Keys in Consul's key-value store. Namespace first, so that an ACL rule can grant one team its own. */

import type { ServiceRef } from "@inmesh/core";
import { isDnsLabel } from "@inmesh/core/internal";
import type { ConsulTarget } from "./client/consul-target.js";

type Prefixed = Pick<ConsulTarget, "prefix">;

/** Below it every key holds policy that every process reads. */
export function policyPrefix({ prefix }: Prefixed): string {
  return `${prefix}/policy/`;
}

/** Below it every key holds policy for one service alone, which those read that call it or are it. */
export function servicesPrefix({ prefix }: Prefixed): string {
  return `${prefix}/services/`;
}

/** Below it the policy for this service alone. */
export function servicePrefix(target: Prefixed, { namespace, service }: ServiceRef): string {
  return `${servicesPrefix(target)}${namespace}/${service}/`;
}

/** Whose policy a key holds; undefined where it is not below a service's prefix. */
export function serviceOfKey(target: Prefixed, key: string): ServiceRef | undefined {
  const prefix = servicesPrefix(target);
  if (!key.startsWith(prefix)) return undefined;
  const [namespace = "", service = "", ...rest] = key.slice(prefix.length).split("/");
  const named = isDnsLabel(namespace) && isDnsLabel(service) && rest.join("/") !== "";
  return named ? { namespace, service } : undefined;
}

/**
 * @param key `Kind/namespace/name`
 * @param service the only one that the document is for; undefined: it is for all, or for several
 */
export function policyKey(target: Prefixed, key: string, service?: ServiceRef): string {
  const [kind = "", namespace = "", ...name] = key.split("/");
  const file = `${kind}/${name.join("%2F")}`;
  if (service !== undefined) return `${servicePrefix(target, service)}${file}`;
  return `${policyPrefix(target)}${namespace}/${file}`;
}

/** Path of a key in Consul's HTTP API: its slashes stay. */
export function keyPath(key: string): string {
  return `/kv/${key.split("/").map(encodeURIComponent).join("/")}`;
}

/** Below it one key for each change of a document. @param key `Kind/namespace/name` */
export function historyPrefix({ prefix }: Prefixed, key: string): string {
  const [kind = "", namespace = "", ...name] = key.split("/");
  return `${prefix}/history/${namespace}/${kind}/${name.join("%2F")}/`;
}
