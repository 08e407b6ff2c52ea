/** Sources of AuthorizationPolicies. policy-semantics §4.5. */

import type { AuthorizationSourceSpec } from "../kind/authorization-policy.js";
import { quote } from "../problem-at.js";
import type { Path } from "../resource.js";
import { subnetFault } from "./name-syntax.js";
import type { Report } from "./report.js";
import { checkCount } from "./shared-rules.js";

const MOST = { serviceAccounts: 16, length: 320 };

/** Known only once the peer's certificate, or the token, was looked at: CUSTOM comes before that. */
const NOT_FOR_CUSTOM = [
  "namespaces",
  "notNamespaces",
  "serviceAccounts",
  "notServiceAccounts",
  "trustDomains",
  "notTrustDomains",
  "principals",
  "notPrincipals",
  "requestPrincipals",
  "notRequestPrincipals",
] as const;
const ACCOUNTS = ["serviceAccounts", "notServiceAccounts"] as const;
const BESIDE_ACCOUNTS = ["principals", "notPrincipals", "namespaces", "notNamespaces"] as const;
const ADDRESSES = ["ipBlocks", "notIpBlocks", "remoteIpBlocks", "notRemoteIpBlocks"] as const;
const OF_CONNECTION = [...BESIDE_ACCOUNTS, ...ACCOUNTS, "trustDomains", "notTrustDomains", ...ADDRESSES] as const;

export function checkSource(source: AuthorizationSourceSpec, isCustom: boolean, path: Path, report: Report): void {
  const fields = Object.entries(source).map(([field, values = []]) => [field, values] as const);
  if (fields.every(([, values]) => values.length === 0)) {
    report.error(path, "the source says nothing, so it means nobody. Name somebody, or leave from out.");
  }
  for (const [field, values] of fields) checkEmpty(values, [...path, field], report);
  for (const field of ADDRESSES) {
    for (const [index, value] of (source[field] ?? []).entries())
      report.check([...path, field, index], subnetFault(value));
  }
  for (const field of ACCOUNTS) {
    checkCount(source[field] ?? [], MOST.serviceAccounts, [...path, field], report);
    for (const [index, value] of (source[field] ?? []).entries())
      report.check([...path, field, index], accountFault(value));
  }
  const accounts = ACCOUNTS.find((field) => (source[field] ?? []).length > 0);
  const beside = BESIDE_ACCOUNTS.find((field) => (source[field] ?? []).length > 0);
  if (accounts !== undefined && beside !== undefined) {
    report.error(path, `${accounts} excludes ${beside}. Keep one of them, or write two sources.`);
  }
  for (const field of ["trustDomains", "notTrustDomains"] as const) {
    for (const [index, value] of (source[field] ?? []).entries()) {
      if (value.includes("/"))
        report.error([...path, field, index], `${quote(value)} is no trust domain. Write one such as cluster.local.`);
    }
  }
  if (!isCustom) return;
  for (const field of NOT_FOR_CUSTOM) {
    if ((source[field] ?? []).length === 0) continue;
    report.error(
      [...path, field],
      `action CUSTOM asks before it is known who calls, so ${field} cannot be used. Remove it.`,
    );
  }
}

export function isOfConnection(source: AuthorizationSourceSpec): boolean {
  return OF_CONNECTION.some((field) => source[field] !== undefined);
}

export function checkEmpty(values: readonly string[], path: Path, report: Report): void {
  for (const [index, value] of values.entries()) {
    if (value === "") report.error([...path, index], "the value is empty. Write one, or remove it.");
  }
}

/** `web` of the policy's own namespace, or `shop/web`; compared whole. */
export function accountFault(account: string): string | undefined {
  if (account === "") return undefined; // said already
  const parts = account.split("/");
  const isName = parts.length <= 2 && parts.every((part) => part !== "") && !account.includes("*");
  if (isName && account.length <= MOST.length) return undefined;
  return `${quote(account)} is no service account: NAME, or NAMESPACE/NAME, without wildcards. Correct it.`;
}
