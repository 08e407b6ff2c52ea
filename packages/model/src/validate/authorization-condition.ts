/** Conditions of AuthorizationPolicies. policy-semantics §4.6. */

import type { AuthorizationConditionSpec } from "../kind/authorization-policy.js";
import { quote } from "../problem-at.js";
import type { Path } from "../resource.js";
import { portTextFault } from "./authorization-operation.js";
import { accountFault, checkEmpty } from "./authorization-source.js";
import { subnetFault } from "./name-syntax.js";
import { nearestName } from "./nearest-name.js";
import type { Report } from "./report.js";

type ValueFault = (value: string) => string | undefined;

const anything: ValueFault = () => undefined;

/** Keys as they are; those that end in "[" go on with a name and "]". */
const KEYS: ReadonlyMap<string, ValueFault> = new Map<string, ValueFault>([
  ["request.headers[", anything],
  ["source.ip", subnetFault],
  ["remote.ip", subnetFault],
  ["source.namespace", anything],
  ["source.serviceAccount", accountFault],
  ["source.principal", anything],
  [
    "source.trustDomain",
    (value) => (value.includes("/") ? `${quote(value)} is no trust domain. Correct it.` : undefined),
  ],
  ["request.auth.principal", anything],
  ["request.auth.audiences", anything],
  ["request.auth.presenter", anything],
  ["request.auth.claims[", anything],
  ["destination.ip", subnetFault],
  ["destination.port", portTextFault],
  ["connection.sni", anything],
  ["experimental.envoy.filters.", anything],
]);

/** Known only once the peer's certificate, or the token, was looked at: CUSTOM comes before that. */
const NOT_FOR_CUSTOM = /^(?:source\.(?:namespace|serviceAccount|principal|trustDomain)$|request\.auth\.)/;

/** Of Istio's first policies. */
const REPLACED: ReadonlyMap<string, string> = new Map([
  ["destination.labels", "the selector of the policy"],
  ["destination.name", "the selector of the policy"],
  ["destination.namespace", "the namespace of the policy"],
  ["destination.user", "the selector of the policy"],
]);

export function checkCondition(
  { key = "", values = [], notValues = [] }: AuthorizationConditionSpec,
  isCustom: boolean,
  path: Path,
  report: Report,
): void {
  if (key === "")
    return report.error(path, "the condition has no key. Write one, such as key: request.headers[x-team].");
  const fault = valueFaultOf(key);
  if (typeof fault === "string") report.error([...path, "key"], fault);
  if (values.length === 0 && notValues.length === 0) {
    report.error(path, "the condition has neither values nor notValues, so nothing could match. Write one of them.");
  }
  for (const [field, list] of [
    ["values", values],
    ["notValues", notValues],
  ] as const) {
    checkEmpty(list, [...path, field], report);
    if (typeof fault === "string") continue;
    for (const [index, value] of list.entries()) if (value !== "") report.check([...path, field, index], fault(value));
  }
  if (isCustom && NOT_FOR_CUSTOM.test(key)) {
    report.error(
      [...path, "key"],
      `action CUSTOM asks before it is known who calls, so ${key} cannot be used. Remove it.`,
    );
  }
}

/** What judges the values of a key, or what is wrong with the key. */
function valueFaultOf(key: string): ValueFault | string {
  const exact = KEYS.get(key);
  if (exact !== undefined && /[^.[]$/.test(key)) return exact;
  const [start, fault] = [...KEYS].find(([name]) => /[.[]$/.test(name) && key.startsWith(name)) ?? [];
  if (start !== undefined && fault !== undefined) {
    const hasName = key.endsWith("]") && key.indexOf("[") > 0 && key.indexOf("[") < key.length - 2;
    return hasName
      ? fault
      : `key ${quote(key)} is not closed, or names nothing. Write ${start.replace(/\[$/, "")}[NAME].`;
  }
  const replaced = [...REPLACED].find(([name]) => key === name || key.startsWith(`${name}[`))?.[1];
  if (replaced !== undefined) return `key ${quote(key)} is of an old form of this policy. Use ${replaced}.`;
  const known = [...KEYS.keys()].map((name) => (name.endsWith("[") ? `${name}NAME]` : name));
  const near = nearestName(key, known);
  return `${quote(key)} is no key of a condition. ${near === undefined ? `Known are ${known.slice(0, 12).join(", ")}.` : `Did you mean ${near}?`}`;
}
