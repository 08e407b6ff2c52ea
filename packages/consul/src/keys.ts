/** Keys in Consul's key-value store. Namespace first, so that an ACL rule can grant one team its own. */

import type { ConsulTarget } from "./client/consul-target.js";

/** Below it every key holds policy. */
export function policyPrefix({ prefix }: Pick<ConsulTarget, "prefix">): string {
  return `${prefix}/policy/`;
}

/** @param key `Kind/namespace/name` */
export function policyKey(target: Pick<ConsulTarget, "prefix">, key: string): string {
  const [kind = "", namespace = "", ...name] = key.split("/");
  return `${policyPrefix(target)}${namespace}/${kind}/${name.join("%2F")}`;
}

/** Below it one key for each change of a document. @param key `Kind/namespace/name` */
export function historyPrefix({ prefix }: Pick<ConsulTarget, "prefix">, key: string): string {
  const [kind = "", namespace = "", ...name] = key.split("/");
  return `${prefix}/history/${namespace}/${kind}/${name.join("%2F")}/`;
}
