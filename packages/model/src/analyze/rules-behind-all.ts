/** Rules with matches behind one that takes everything. A later Istio than 1.26 has IST0130 for them; 1.26 is silent. */

import type { VirtualServiceSpec } from "../kind/virtual-service.js";
import type { Resource } from "../resource.js";
import { type Rule, ruleName } from "../validate/route-reachability.js";
import type { Finding } from "./finding.js";

const BEHIND_ALL = "IM0306";

export function checkRulesBehindAll(resource: Resource<VirtualServiceSpec>, report: Finding): void {
  for (const list of ["http", "tls", "tcp"] as const) {
    const rules: readonly Rule[] = resource.spec[list] ?? [];
    const all = rules.findIndex(({ match = [] }) => match.length === 0);
    if (all < 0) continue;
    for (const [index, { match = [] }] of rules.entries()) {
      if (index <= all || match.length === 0) continue; // a second one without a match is IST0130
      const message = `the rule can never be used: ${ruleName(rules, all)} has no match and takes everything. Move that one to the end.`;
      report(resource, ["spec", list, index], BEHIND_ALL, "warning", message);
    }
  }
}
