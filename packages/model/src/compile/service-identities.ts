/**
 * Who may serve a service: secure naming. policy-semantics §2.7. Only documents have a say, and the service's own name and
 * namespace, which its registry grants: what a process that registers itself says of its account would let anyone be it.
 */

import type { ServiceSpec } from "../kind/service.js";
import type { ServiceEntrySpec } from "../kind/service-entry.js";
import type { WorkloadGroupSpec } from "../kind/workload-group.js";
import type { Resource } from "../resource.js";
import type { Service } from "../snapshot/workload.js";
import { spiffeId } from "../spiffe-id.js";
import { hasLabels, type Labels } from "./labels.js";
import type { Members } from "./workload-index.js";

/** On a Kubernetes Service: accounts of its namespace, or `namespace/account`, that its processes may run under. */
export const ACCOUNTS_ANNOTATION = "inmesh.dev/service-accounts";

/** `cart, back/stock` as `shop/cart`, `back/stock`. What is empty is left out. */
export function annotatedAccounts(text: string, namespace: string): readonly string[] {
  const accounts = text.split(",").map((account) => account.trim());
  return accounts.flatMap((account) =>
    account === "" ? [] : [account.includes("/") ? account : `${namespace}/${account}`],
  );
}

/**
 * Accounts, `namespace/account`, that documents give to whoever serves a service, sorted.
 * @param resources that declare it
 * @param members of it: instances that registered themselves are passed over
 */
export function documentedAccounts(
  { namespace }: Service,
  resources: readonly Resource[],
  members: Members,
  groups: readonly Resource<WorkloadGroupSpec>[],
): readonly string[] {
  const accounts = new Set<string>();
  for (const { service, namespace: of, serviceAccount } of members) {
    if (service === undefined && serviceAccount !== undefined) accounts.add(`${of}/${serviceAccount}`);
  }
  for (const resource of resources) {
    const annotated = resource.kind === "Service" ? resource.metadata.annotations[ACCOUNTS_ANNOTATION] : undefined;
    for (const account of annotatedAccounts(annotated ?? "", namespace)) accounts.add(account);
    for (const account of groupAccounts(namespace, selectorOf(resource), groups)) accounts.add(account);
  }
  return [...accounts].sort();
}

/** Of groups whose workloads a service selects. */
function groupAccounts(
  namespace: string,
  selector: Labels | undefined,
  groups: readonly Resource<WorkloadGroupSpec>[],
): readonly string[] {
  if (selector === undefined) return [];
  return groups.flatMap(({ namespace: of, spec: { template, metadata } }) => {
    const selected = of === namespace && hasLabels({ ...template?.labels, ...metadata?.labels }, selector);
    return selected && template?.serviceAccount ? [`${of}/${template.serviceAccount}`] : [];
  });
}

/** @param accounts `namespace/account` @param trustDomains the mesh's own, then its aliases */
export function serviceIdentities(
  { name, namespace, subjectAltNames, servedBy }: Service,
  accounts: readonly string[],
  trustDomains: readonly string[],
): readonly string[] {
  if (servedBy !== undefined) return servedBy;
  if (subjectAltNames.length > 0) return subjectAltNames;
  const all = new Set([`${namespace}/${name}`, ...accounts]);
  const identities = trustDomains.flatMap((domain) =>
    [...all].map((account) => {
      const slash = account.indexOf("/");
      return spiffeId(domain, account.slice(0, slash), account.slice(slash + 1));
    }),
  );
  return [...identities]; // a cluster keeps it, and flatMap left room for 16 more
}

/** Undefined where it selects nobody. */
function selectorOf({ kind, spec }: Resource): Labels | undefined {
  const labels =
    kind === "Service" ? (spec as ServiceSpec).selector : (spec as ServiceEntrySpec).workloadSelector?.labels;
  return labels !== undefined && Object.keys(labels).length > 0 ? labels : undefined;
}
