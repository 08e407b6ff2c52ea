import { expect, it } from "vitest";
import { lease } from "../compile/fixture.test.helper.js";
import { parseDocuments } from "../document/parse-documents.js";
import { GATEWAY_CONTROLLER, gatewayRouteStatuses } from "./gateway-status.js";

const SERVICE = "apiVersion: v1\nkind: Service\nmetadata: {name: web}\nspec: {ports: [{name: http, port: 80}]}\n---\n";
const WEB = '{group: "", kind: Service, name: web}';

/** `type status reason` of each condition, by parent. */
function conditions(parents: string, rule: string) {
  const text = `${SERVICE}apiVersion: gateway.networking.k8s.io/v1\nkind: HTTPRoute\nmetadata: {name: r}\nspec: {parentRefs: [${parents}], rules: [${rule}]}\n`;
  const { documents } = parseDocuments(text, { file: "x.yaml", namespace: "shop" });
  const found = gatewayRouteStatuses(documents, [lease("late")]).get("HTTPRoute/shop/r") ?? [];
  for (const { controllerName } of found) expect(controllerName).toBe(GATEWAY_CONTROLLER);
  return found.map((each) => each.conditions.map(({ type, status, reason }) => `${type} ${status} ${reason}`));
}

const YES = "Accepted True Accepted";
const RESOLVED = "ResolvedRefs True ResolvedRefs";

it.each([
  ["all is there", WEB, "{backendRefs: [{name: web, port: 80}]}", [[YES, RESOLVED]]],
  [
    "a process is the service",
    '{group: "", kind: Service, name: late}',
    "{backendRefs: [{name: late, port: 99}]}",
    [[YES, RESOLVED]],
  ],
  [
    "a backend is missing",
    WEB,
    "{backendRefs: [{name: ghost, port: 80}]}",
    [[YES, "ResolvedRefs False BackendNotFound"]],
  ],
  [
    "a backend has no such port",
    WEB,
    "{backendRefs: [{name: web, port: 81}]}",
    [[YES, "ResolvedRefs False BackendNotFound"]],
  ],
  [
    "a backend is of another kind",
    WEB,
    "{backendRefs: [{kind: Bucket, name: b, port: 1}]}",
    [[YES, "ResolvedRefs False InvalidKind"]],
  ],
  [
    "a mirror leads nowhere",
    WEB,
    "{filters: [{type: RequestMirror, requestMirror: {backendRef: {name: ghost, port: 80}}}]}",
    [[YES, "ResolvedRefs False BackendNotFound"]],
  ],
  [
    "the parent is missing",
    '{group: "", kind: Service, name: wbe}',
    "{}",
    [["Accepted False NoMatchingParent", RESOLVED]],
  ],
  [
    "the parent has no such port",
    '{group: "", kind: Service, name: web, port: 81}',
    "{}",
    [["Accepted False NoMatchingParent", RESOLVED]],
  ],
  [
    "the document is refused",
    WEB,
    "{backendRefs: [{name: web, port: 80, weight: -1}]}",
    [["Accepted False UnsupportedValue", RESOLVED]],
  ],
  ["the parent is a Gateway", "{name: front}", "{}", []],
  ["its schema does not hold", WEB, "{backendRefs: 5}", []],
  [
    "there are two parents",
    `${WEB}, {group: "", kind: Service, name: wbe}`,
    "{}",
    [
      [YES, RESOLVED],
      ["Accepted False NoMatchingParent", RESOLVED],
    ],
  ],
])("says so where %s", (_, parents, rule, expected) => {
  expect(conditions(parents, rule)).toEqual(expected);
});
