import { expect, it } from "vitest";
import { parseDocuments } from "../document/parse-documents.js";
import { validateDocument } from "./validate-document.js";

function judge(spec: string): readonly string[] {
  const text = `apiVersion: telemetry.istio.io/v1alpha1\nkind: Telemetry\nmetadata: {name: x, namespace: shop}\nspec: ${spec}`;
  const [document] = parseDocuments(text, { file: "t.yaml" }).documents;
  if (document === undefined) throw new Error("no document");
  return validateDocument(document).problems.map(({ code, path, message }) => `${code} ${path} ${message}`);
}

it.each([
  [
    "tracing",
    "{tracing: [{randomSamplingPercentage: 101}]}",
    "IST0106 spec.tracing[0].randomSamplingPercentage found 101",
  ],
  ["tracing", "{tracing: [{providers: [{}]}]}", "IST0106 spec.tracing[0].providers[0] the provider has no name"],
  ["tracing", "{tracing: [{}, {}]}", "IST0133 spec.tracing only one"],
  ["tracing", "{tracing: [{providers: [{name: a}, {name: b}]}]}", "IST0133 spec.tracing[0].providers only the first"],
  [
    "tracing",
    "{tracing: [{customTags: {a: {formatter: {value: '%NO%'}}}}]}",
    "IM0903 spec.tracing[0].customTags.a.formatter.value",
  ],
  ["tracing", "{tracing: [{customTags: {a: {literal: {value: x}, header: {name: y}}}}]}", "exclude each other"],
  [
    "metrics",
    "{metrics: [{overrides: [{tagOverrides: {a: {operation: REMOVE, value: x}}}]}]}",
    "a tag that is removed has no value",
  ],
  ["metrics", "{metrics: [{overrides: [{tagOverrides: {a: {}}}]}]}", "it says no value"],
  ["accessLogging", "{accessLogging: [{filter: {}}]}", "the filter has no expression"],
  [
    "accessLogging",
    "{accessLogging: [{filter: {expression: 'a b'}}]}",
    "IST0106 spec.accessLogging[0].filter.expression character 3",
  ],
  [
    "accessLogging",
    "{accessLogging: [{filter: {expression: 'response.status == 1'}}]}",
    "IM0901 spec.accessLogging[0].filter.expression character 1",
  ],
  [
    "selector",
    "{selector: {matchLabels: {app: x}}, targetRef: {kind: Service, name: x}}",
    "both selector and targetRef",
  ],
])("%s: %s", (_, spec, wanted) => {
  expect(judge(spec).join("\n")).toContain(wanted);
});

it("takes what the rest of the fields may be", () => {
  expect(
    judge(
      "{selector: {matchLabels: {app: web}}, tracing: [{match: {mode: CLIENT}, randomSamplingPercentage: 0.5, disableSpanReporting: true, enableIstioTags: false, customTags: {a: {}}}], metrics: [{providers: [{name: prometheus}], reportingInterval: 5s, overrides: [{match: {metric: ALL_METRICS, mode: SERVER}, disabled: true}]}], accessLogging: [{match: {mode: CLIENT_AND_SERVER}, disabled: false, providers: [{name: envoy}], filter: {expression: 'response.code >= 400'}}]}",
    ),
  ).toEqual([]);
});
