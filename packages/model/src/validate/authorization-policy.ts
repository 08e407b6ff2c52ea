/** What Istio's validation and CRD demand of an AuthorizationPolicy. policy-semantics §4.5 to §4.7 and §6.6. */

import type { AuthorizationPolicySpec, AuthorizationRuleSpec } from "../kind/authorization-policy.js";
import { quote } from "../problem-at.js";
import type { ObjectMeta, Path } from "../resource.js";
import { checkCondition } from "./authorization-condition.js";
import { checkOperation, namesPort } from "./authorization-operation.js";
import { checkSource, isOfConnection } from "./authorization-source.js";
import { DRY_RUN } from "./envelope.js";
import { checkPolicyTarget } from "./policy-target.js";
import type { Report } from "./report.js";
import { checkCount } from "./shared-rules.js";

const MOST_RULES = 512;
/** What Go's ParseBool takes. */
const BOOLEANS: ReadonlySet<string> = new Set("1 t T TRUE true True 0 f F FALSE false False".split(" "));

export function checkAuthorizationPolicy(
  spec: AuthorizationPolicySpec,
  path: Path,
  report: Report,
  metadata: ObjectMeta,
): void {
  const { action = "ALLOW", rules, provider } = spec;
  checkPolicyTarget(spec, path, report);
  checkDryRun(action, metadata, report);
  if (action === "CUSTOM" && (provider?.name ?? "") === "") {
    report.error(path, "action CUSTOM asks a provider, and none is named. Write provider: {name: NAME}.");
  }
  if (action !== "CUSTOM" && provider !== undefined) {
    report.error([...path, "provider"], `only action CUSTOM asks a provider, this one is ${action}. Remove it.`);
  }
  if ((action === "DENY" || action === "CUSTOM") && (rules ?? []).length === 0) {
    report.error(path, `action ${action} without rules is never triggered. Write rules: [{}] for every request.`);
  }
  checkCount(rules ?? [], MOST_RULES, [...path, "rules"], report);
  for (const [index, rule] of (rules ?? []).entries()) {
    const at = [...path, "rules", index];
    checkRule(rule, action, at, report);
  }
  const doubtful = action === "DENY" ? (rules ?? []).findIndex(deniesAllTcp) : -1;
  if (doubtful >= 0) {
    report.warn(
      [...path, "rules", doubtful],
      "the rule denies by what HTTP requests have alone, so it denies every connection to a port that is not HTTP. Name its ports.",
    );
  }
}

type Action = NonNullable<AuthorizationPolicySpec["action"]>;

/** An empty `from` or `to` passes and means anybody and anything, as with Istio: analyze tells of it. */
function checkRule({ from, to, when }: AuthorizationRuleSpec, action: Action, path: Path, report: Report): void {
  const isCustom = action === "CUSTOM";
  checkCount(from ?? [], MOST_RULES, [...path, "from"], report);
  for (const [index, { source }] of (from ?? []).entries()) {
    const at = [...path, "from", index];
    if (source === undefined) report.error(at, "it has no source. Write source: {…}.");
    else checkSource(source, isCustom, [...at, "source"], report);
  }
  for (const [index, { operation }] of (to ?? []).entries()) {
    const at = [...path, "to", index];
    if (operation === undefined) report.error(at, "it has no operation. Write operation: {…}.");
    else checkOperation(operation, [...at, "operation"], report);
  }
  for (const [index, condition] of (when ?? []).entries()) {
    checkCondition(condition, isCustom, [...path, "when", index], report);
  }
}

/** As Istio counts: a rule that names a source of the connection, or a port, is taken to mean TCP, too. */
function deniesAllTcp({ from = [], to = [] }: AuthorizationRuleSpec): boolean {
  const ofConnection = from.some(({ source }) => source !== undefined && isOfConnection(source));
  const ofPort = to.some(({ operation }) => operation !== undefined && namesPort(operation));
  return (from.length > 0 && to.length === 0 && !ofConnection) || (to.length > 0 && !ofPort);
}

function checkDryRun(action: Action, { annotations }: ObjectMeta, report: Report): void {
  const value = annotations[DRY_RUN];
  if (value === undefined) return;
  const at = ["metadata", "annotations", DRY_RUN];
  if (action !== "ALLOW" && action !== "DENY") {
    report.error(at, `only ALLOW and DENY can be tried without effect, this one is ${action}. Remove the annotation.`);
  } else if (!BOOLEANS.has(value)) {
    report.error(at, `found ${quote(value)}, expected "true" or "false". Write one of them.`);
  }
}
