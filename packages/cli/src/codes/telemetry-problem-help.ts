/** What `inmesh help IM0901` and its like say: problems of Telemetry, each with documents that have it and documents put right. */

import { DOCUMENT_PROBLEM_CODES, SET_PROBLEM_CODES } from "@inmesh/model";
import type { ProblemHelp } from "./problem-help.js";

const OURS: Readonly<Record<string, string>> = { ...DOCUMENT_PROBLEM_CODES, ...SET_PROBLEM_CODES };

function telemetry(spec: string, namespace = "shop"): string {
  return `apiVersion: telemetry.istio.io/v1\nkind: Telemetry\nmetadata: { name: reviews, namespace: ${namespace} }\nspec:\n${spec}`;
}

const mesh = (fields: string): string => `apiVersion: mesh.istio.io/v1alpha1\nkind: MeshConfig\n${fields}`;
const filter = (expression: string): string =>
  telemetry(`  accessLogging: [{ providers: [{ name: envoy }], filter: { expression: "${expression}" } }]\n`);
const override = (value: string): string =>
  telemetry(`  metrics: [{ overrides: [{ tagOverrides: { method: { value: "${value}" } } }] }]\n`);
const custom = (metric: string): string =>
  telemetry(`  metrics: [{ overrides: [{ match: { customMetric: ${metric} }, disabled: true }] }]\n`);

const SELECTED = "  selector: { matchLabels: { app: reviews } }\n";
const SAMPLED = "  tracing: [{ randomSamplingPercentage: 10 }]\n";
const LOGGED = telemetry("  accessLogging: [{ providers: [{ name: json }] }]\n");

interface Entry extends Omit<ProblemHelp, "when" | "message"> {
  readonly yaml: string;
  readonly good: string;
}

const ENTRIES: Readonly<Record<string, Entry>> = {
  IST0157: {
    severity: "warning",
    remedy: "Name a provider, such as `envoy`, or write defaultProviders.accessLogging into mesh.yaml.",
    yaml: telemetry("  accessLogging: [{ match: { mode: SERVER } }]\n"),
    good: telemetry("  accessLogging: [{ match: { mode: SERVER }, providers: [{ name: envoy }] }]\n"),
  },
  IST0159: {
    severity: "error",
    remedy: "Write one Telemetry for the workloads that two of them select.",
    yaml: `${telemetry(SELECTED + SAMPLED)}---\n${telemetry(SELECTED + SAMPLED).replace("name: reviews,", "name: more,")}`,
    good: telemetry(SELECTED + SAMPLED),
  },
  IST0160: {
    severity: "error",
    remedy: "Keep one of the two, or give one of them a selector.",
    yaml: `${telemetry(SAMPLED)}---\n${telemetry(SAMPLED).replace("name: reviews,", "name: more,")}`,
    good: telemetry(SAMPLED),
  },
  IM0901: {
    severity: "error",
    remedy:
      "Write it with the attributes and functions of docs/reference/telemetry.md: the message names what is none.",
    yaml: filter("response.code / 100 == 5"),
    good: filter("response.code >= 500"),
  },
  IM0902: {
    severity: "warning",
    remedy: "Write an attribute that is there, such as request.method, or remove the tag with operation: REMOVE.",
    yaml: override("upstream_peer.name"),
    good: override("request.method"),
  },
  IM0903: {
    severity: "warning",
    remedy: "Write one of the operators that the message lists. A percent sign itself is written %%.",
    yaml: mesh('accessLogFile: /dev/stdout\naccessLogFormat: "%HOSTNAME%"\n'),
    good: mesh('accessLogFile: /dev/stdout\naccessLogFormat: "%RESPONSE_CODE%"\n'),
  },
  IM0904: {
    severity: "warning",
    remedy: "Write a selector in place of the targets, or keep the document for a gateway that reads it, too.",
    yaml: telemetry(`  targetRefs: [{ group: "", kind: Service, name: reviews }]\n${SAMPLED}`),
    good: telemetry(SELECTED + SAMPLED),
  },
  IM0905: {
    severity: "warning",
    remedy: "Write it in the namespace of the workloads that it selects.",
    yaml: telemetry(SELECTED + SAMPLED, "istio-system"),
    good: telemetry(SELECTED + SAMPLED),
  },
  IM0906: {
    severity: "warning",
    remedy: "Define the provider in mesh.yaml, under extensionProviders, or name `envoy`, which is always there.",
    yaml: LOGGED,
    good: `${mesh("extensionProviders: [{ name: json, envoyFileAccessLog: { path: /dev/stdout } }]\n")}---\n${LOGGED}`,
  },
  IM0907: {
    severity: "warning",
    remedy: "Name a metric of Istio's, such as requests_total, or write match.metric.",
    yaml: custom("my_total"),
    good: custom("requests_total"),
  },
};

const WHEN: Readonly<Record<string, string>> = {
  IST0157: "an access log of a Telemetry names no provider, and there is no default",
  IST0159: "two Telemetries of a namespace select the same workloads",
  IST0160: "two Telemetries of a namespace have no selector; the older one holds",
};

const entries = Object.entries(ENTRIES);

export const TELEMETRY_PROBLEM_HELP: Readonly<Record<string, ProblemHelp>> = Object.fromEntries(
  entries.map(([code, { good: _, ...help }]) => [code, { when: OURS[code] ?? WHEN[code] ?? "", ...help }]),
);

export const GOOD_TELEMETRY_DOCUMENTS: Readonly<Record<string, string>> = Object.fromEntries(
  entries.map(([code, { good }]) => [code, good]),
);
