/** The rules of each role, as docs/reference/consul-acl.md gives them to readers. */

import { readFileSync } from "node:fs";

export interface DocumentedRule {
  /** HCL. */
  readonly rule: string;
  /** What goes wrong without it. */
  readonly comment: string;
}

const PAGE = new URL("../../../../docs/reference/consul-acl.md", import.meta.url);

export function documentedRoles(): ReadonlyMap<string, readonly DocumentedRule[]> {
  const roles = new Map<string, readonly DocumentedRule[]>();
  for (const [, role = "", block = ""] of readFileSync(PAGE, "utf8").matchAll(/^```hcl role=(\w+)\n(.*?)^```$/gms)) {
    const rules = [...block.matchAll(/^# (.+)\n(.+)$/gm)].map(([, comment = "", rule = ""]) => ({ comment, rule }));
    roles.set(role, rules);
  }
  return roles;
}
