import { describe, expect, it } from "vitest";
import { documentFromValue, parseDocuments } from "../document/parse-documents.js";
import type { Document } from "../resource.js";
import { validateDocument } from "./validate-document.js";

const API: Readonly<Record<string, string>> = { Service: "v1", Namespace: "v1", MeshMode: "inmesh.dev/v1alpha1" };

/** One document of `kind` from the YAML of its spec, which begins in line 5 in column 3. */
function documentOf(kind: string, spec: string): Document {
  const head = `apiVersion: ${API[kind] ?? "networking.istio.io/v1"}\nkind: ${kind}\nmetadata: {name: x, namespace: shop}\nspec:\n`;
  const { documents, problems } = parseDocuments(`${head}${spec.replace(/^/gm, "  ")}\n`, { file: "x.yaml" });
  expect(problems).toEqual([]);
  return documents[0]!; // without problems there is one
}

function judge(kind: string, spec: string) {
  const { resource, problems } = validateDocument(documentOf(kind, spec));
  return { resource, problems, lines: problems.map(({ code, path, message }) => `${code} ${path}: ${message}`) };
}

const ROUTE = "http: [{route: [{destination: {host: reviews}}]}]";

describe("validateDocument", () => {
  it("gives a resource with its metadata, and the document's own data as its spec", () => {
    const { documents } = parseDocuments(
      `apiVersion: networking.istio.io/v1beta1
kind: VirtualService
metadata:
  name: x
  namespace: shop
  labels: {app.kubernetes.io/name: web}
  annotations: {team: a b c}
  creationTimestamp: 2026-01-31T12:00:00+02:00
spec: {hosts: [reviews], ${ROUTE}}
`,
      { file: "x.yaml" },
    );
    const { resource, problems } = validateDocument(documents[0]!); // one document above
    expect(problems).toEqual([]);
    expect(resource).toMatchObject({
      kind: "VirtualService",
      key: "VirtualService/shop/x",
      apiVersion: "networking.istio.io/v1beta1",
    });
    expect(resource?.metadata).toMatchObject({
      name: "x",
      namespace: "shop",
      labels: { "app.kubernetes.io/name": "web" },
      annotations: { team: "a b c" },
      creationTimestamp: "2026-01-31T10:00:00Z",
    });
    expect(resource?.spec).toBe(documents[0]?.value["spec"]);
    expect(Object.getPrototypeOf(resource?.metadata.labels)).toBeNull();
  });

  it("points each problem to its file, line and column", () => {
    const { resource, problems } = judge(
      "VirtualService",
      "hosts: [reviews]\nhttp:\n- timeout: 5\n  weight: 3\n  route:\n  - destination: {host: reviews}\n",
    );
    expect(resource).toBeUndefined();
    expect(problems.map(({ file, line, column, path, resource }) => [file, line, column, path, resource])).toEqual([
      ["x.yaml", 7, 5, "spec.http[0].timeout", "VirtualService/shop/x"],
      ["x.yaml", 8, 5, "spec.http[0].weight", "VirtualService/shop/x"],
    ]);
  });

  it.each([
    [
      "an unknown field",
      `hosts: [a]\nhttp: [{timeot: 5s}]`,
      'unknown field "timeot"; the document is refused. Did you mean "timeout"?',
    ],
    ["a snake_case field", `hosts: [a]\nhttp: [{direct_response: {status: 200}}]`, 'Did you mean "directResponse"?'],
    ["a field of another kind", `hosts: [a]\nselector: {}`, "known here: hosts, gateways, http, tls, tcp, exportTo."],
    [
      "a duration without unit",
      `hosts: [a]\nhttp: [{timeout: "5"}]`,
      'found "5", expected a duration such as "5s", "100ms" or "1h".',
    ],
    ["a duration of nothing", `hosts: [a]\nhttp: [{timeout: 0s}]`, "expected at least 1ms."],
    ["a number for a string", `hosts: [8080]`, 'found 8080, expected a string. Quote it: "8080".'],
    ["a string for a number", `hosts: [a]\nhttp: [{retries: {attempts: "3"}}]`, "Write it without quotes."],
    [
      "an object for a list",
      `hosts: [a]\nhttp: {timeout: 5s}`,
      'found an object, expected a list. Begin each item with "- ".',
    ],
    ["a fraction", `hosts: [a]\nhttp: [{retries: {attempts: 1.5}}]`, "found 1.5, expected a whole number."],
    ["a negative unsigned", `hosts: [a]\nhttp: [{match: [{port: -1}]}]`, "found -1, expected at least 0."],
    [
      "an enum in the wrong case",
      `hosts: [a]\nhttp: [{corsPolicy: {unmatchedPreflights: forward}}]`,
      "Did you mean FORWARD?",
    ],
    [
      "two of a oneof",
      `hosts: [a]\nhttp: [{match: [{uri: {exact: /, prefix: /}}]}]`,
      "exact and prefix exclude each other. Keep one of them.",
    ],
    ["null in a map", `hosts: [a]\nhttp: [{match: [{headers: {x-user: null}}]}]`, "found null, expected an object."],
    ["null in a list", `hosts: [null]`, "found null, expected a string."],
    ["__proto__ as a field", `hosts: [a]\n__proto__: {x: 1}`, '"__proto__"'],
    [
      "__proto__ in a map",
      `hosts: [a]\nhttp: [{match: [{headers: {__proto__: {evil: 1}}}]}]`,
      '"__proto__" is not taken as a name.',
    ],
    ["constructor as a field", `hosts: [a]\nconstructor: {x: 1}`, 'unknown field "constructor"'],
    [
      "weights of zero",
      `hosts: [a]\nhttp: [{route: [{destination: {host: a}, weight: 0}, {destination: {host: b}}]}]`,
      "the weights of all 2 destinations are 0",
    ],
    [
      "a look-ahead",
      `hosts: [a]\nhttp: [{match: [{uri: {regex: "(?=x)"}}], route: [{destination: {host: a}}]}]`,
      "is no RE2 expression",
    ],
    [
      "a retry condition with a space",
      `hosts: [a]\nhttp: [{retries: {attempts: 1, retryOn: "5xx, reset"}, route: [{destination: {host: a}}]}]`,
      'Did you mean "reset"?',
    ],
    [
      "an unknown gRPC status",
      `hosts: [a]\nhttp: [{fault: {abort: {grpcStatus: UNAVALABLE}}, route: [{destination: {host: a}}]}]`,
      "Did you mean UNAVAILABLE?",
    ],
    ["a rule that leads nowhere", `hosts: [a]\nhttp: [{timeout: 5s}]`, "the rule leads nowhere."],
    ["overlapping hosts", `hosts: ["*.com", a.com]\n${ROUTE}`, 'host "a.com" is covered by "*.com" above.'],
    ["the host of all", `hosts: ["*"]\n${ROUTE}`, "would take over every host of the mesh."],
  ])("refuses a VirtualService with %s", (_, spec, message) => {
    const { resource, problems, lines } = judge("VirtualService", spec);
    expect(resource).toBeUndefined();
    expect(lines.join("\n")).toContain(message);
    for (const problem of problems) expect(problem).toMatchObject({ code: "IST0106", severity: "error" });
  });

  it.each([
    [
      "VirtualService",
      "null fields",
      `hosts: [a]\ntls: null\nhttp: [{timeout: null, match: [{uri: {prefix: null, exact: /}, withoutHeaders: {x: null}}], route: [{destination: {host: a, subset: null}}]}]`,
    ],
    [
      "VirtualService",
      "names from Object.prototype",
      `hosts: [a]\nhttp: [{match: [{headers: {constructor: {exact: a}, toString: {}}}], route: [{destination: {host: constructor}}]}]`,
    ],
    [
      "DestinationRule",
      "everything of a pool",
      "host: a\ntrafficPolicy: {connectionPool: {tcp: {idleTimeout: 0s, connectTimeout: 1s}, http: {http2KeepAlive: {interval: 1s, timeout: 1s}}}}",
    ],
    [
      "ServiceEntry",
      "a unix socket",
      "hosts: [a.b]\nports: [{number: 80, name: http, protocol: HTTP}]\nresolution: STATIC\nendpoints: [{address: unix:///run/a.sock}]",
    ],
    ["WorkloadEntry", "an IPv6 address", 'address: "::1"\nports: {http: 8080}'],
    ["WorkloadGroup", "a template only", "template: {ports: {http: 8080}}"],
    ["Sidecar", "hosts of the own namespace", 'egress: [{hosts: ["./*"]}]'],
    ["Service", "a named target port", "ports: [{port: 80, targetPort: http}]\nselector: {app: web}"],
    ["Service", "an external name", "type: ExternalName\nexternalName: a.example.com"],
    ["Namespace", "nothing", "{}"],
    ["MeshMode", "a word", "mode: off"],
    ["MeshMode", "what YAML 1.1 makes of off", "mode: false\nselector: {matchLabels: {app: web}}"],
  ])("accepts a %s with %s", (kind, _, spec) => {
    const { resource, lines } = judge(kind, spec);
    expect(lines).toEqual([]);
    expect(resource?.kind).toBe(kind);
  });

  it.each([
    ["DestinationRule", "host: a\ntrafficPolicy: {}", "the policy is empty."],
    ["DestinationRule", "host: a\nsubsets: [{name: v1}, {name: v1}]", 'subset "v1" is there twice.'],
    ["DestinationRule", "host: a\ntrafficPolicy: {loadBalancer: {simple: ROUND-ROBIN}}", "Did you mean ROUND_ROBIN?"],
    [
      "DestinationRule",
      "host: a\ntrafficPolicy: {loadBalancer: {consistentHash: {useSourceIp: true, maglev: {tableSize: 10}}}}",
      "expected a prime",
    ],
    ["ServiceEntry", "hosts: [a.b]\nresolution: STATIC\nendpoints: [{address: a.b}]", "set resolution: DNS"],
    ["WorkloadEntry", "ports: {http: 80}", "the entry has no address."],
    ["WorkloadGroup", "probe: {httpGet: {port: 80}}", "the group has no template."],
    ["Sidecar", "egress: [{hosts: [reviews]}]", "Write ./reviews for the own one"],
    ["Sidecar", "egress: [{hosts: [./reviews]}]", "is a short name."],
    ["Service", "ports: [{port: 80}, {port: 81}]", "several ports need names."],
    ["Service", "ports: [{port: 80, targetPort: []}]", "expected a number or a string."],
    ["Namespace", "labels: {}", 'unknown field "labels"'],
    ["MeshMode", "mode: pause", "expected one of off, observe, on."],
    ["MeshMode", "selector: {}", "expected one of off, observe, on."],
  ])("refuses a %s with %s", (kind, spec, message) => {
    const { resource, lines } = judge(kind, spec);
    expect(resource).toBeUndefined();
    expect(lines.join("\n")).toContain(message);
  });

  it.each([
    [
      "VirtualService",
      `hosts: [a]\nhttp: [{route: [{destination: {host: a}}]}, {route: [{destination: {host: b}}]}]`,
      "IST0130",
      "warning",
    ],
    [
      "VirtualService",
      `hosts: [a]\nhttp: [{match: [{uri: {prefix: /a}}], route: [{destination: {host: a}}]}, {match: [{uri: {prefix: /a/b}}], route: [{destination: {host: b}}]}]`,
      "IST0131",
      "info",
    ],
    [
      "VirtualService",
      `hosts: [a]\nhttp: [{mirrorPercent: 5, route: [{destination: {host: a}}]}]`,
      "IST0133",
      "warning",
    ],
    ["ServiceEntry", "hosts: [a.b]\nports: [{number: 9, name: x, protocol: TCP}]", "IST0133", "warning"],
    ["DestinationRule", "host: a\nworkloadSelector: {}", "IST0133", "warning"],
  ])("accepts a doubtful %s, but says so: %s", (kind, spec, code, severity) => {
    const { resource, problems } = judge(kind, spec);
    expect(resource).toBeDefined();
    expect(problems.map((problem) => [problem.code, problem.severity])).toEqual([[code, severity]]);
  });
});

describe("the envelope", () => {
  const whole = (changes: object) => ({
    apiVersion: "networking.istio.io/v1",
    kind: "Sidecar",
    metadata: { name: "x", namespace: "shop" },
    spec: { egress: [{ hosts: ["./*"] }] },
    ...changes,
  });
  const messages = (value: object) =>
    documentFromValue(value).documents.flatMap((document) =>
      validateDocument(document).problems.map(({ path, message }) => `${path}: ${message}`),
    );

  it.each([
    ["a misspelled top-level field", { metdata: {} }, 'metdata: unknown field "metdata". Did you mean "metadata"?'],
    ["a misspelled metadata field", { metadata: { name: "x", lables: {} } }, 'Did you mean "labels"?'],
    ["a path as name", { metadata: { name: "../../etc/passwd" } }, "metadata.name"],
    ["capitals in the name", { metadata: { name: "Web" } }, "metadata.name"],
    ["a path as namespace", { metadata: { name: "x", namespace: "../x" } }, "metadata.namespace"],
    ["a number as namespace", { metadata: { name: "x", namespace: 5 } }, "expected a string"],
    [
      "a number as label",
      { metadata: { name: "x", labels: { "a.b/c": 5 } } },
      'metadata.labels["a.b/c"]: found 5, expected a string. Quote it.',
    ],
    ["a bad label", { metadata: { name: "x", labels: { app: "-" } } }, "is no label value"],
    ["a list as labels", { metadata: { name: "x", labels: [] } }, "expected an object of strings"],
    ["a bad time", { metadata: { name: "x", creationTimestamp: "yesterday" } }, "expected a time such as"],
    [
      "an annotation of Istio's own",
      { metadata: { name: "x", annotations: { "internal.istio.io/parents": "a" } } },
      "is not allowed",
    ],
    [
      "a dry run of what cannot be tried",
      { metadata: { name: "x", annotations: { "istio.io/dry-run": "true" } } },
      "is not allowed",
    ],
    ["a list as spec", { spec: [] }, "spec: found a list, expected an object."],
    ["no spec", { spec: undefined }, "the Sidecar says nothing"],
  ])("is refused for %s", (_, changes, message) => {
    expect(messages(whole(changes)).join("\n")).toContain(message);
  });

  it("may hold what kubectl writes", () => {
    const metadata = {
      name: "x",
      uid: "1",
      resourceVersion: "2",
      generation: 3,
      managedFields: [{}],
      labels: null,
      creationTimestamp: null,
    };
    expect(messages(whole({ metadata, status: { observedGeneration: 1 } }))).toEqual([]);
  });
});

describe("MeshConfig", () => {
  const judgeMesh = (text: string) => {
    const { documents } = parseDocuments(text, { file: "mesh.yaml" });
    return validateDocument(documents[0]!); // every text below has one
  };

  it("is judged bare, field for field", () => {
    const { resource, problems } = judgeMesh(`rootNamespace: mesh
trustDomain: example.org
outboundTrafficPolicy: {mode: REGISTRY_ONLY}
connectTimeout: 3s
meshMTLS: {minProtocolVersion: TLSV1_3}
defaultConfig: {tracing: {sampling: 1.5}, proxyMetadata: {A: b}, concurrency: 2}
extensionProviders: [{name: otel, opentelemetry: {service: otel, port: 4317}}]
`);
    expect(problems).toEqual([]);
    expect(resource).toMatchObject({
      kind: "MeshConfig",
      namespace: "mesh",
      metadata: { name: "mesh", namespace: "mesh" },
    });
  });

  it.each([
    ["outboundTrafficPolicy: {mode: DENY}", "REGISTRY_ONLY, ALLOW_ANY"],
    ["extensionProviders: [{name: a, opentelemtry: {}}]", 'Did you mean "opentelemetry"?'],
    ["defaultConfig: {concurency: 2}", 'Did you mean "concurrency"?'],
    ["outboundTraficPolicy: {}", 'Did you mean "outboundTrafficPolicy"?'],
    ["connectTimeout: 60s", "at most 30s"],
    ['trustDomain: ""', "no trust domain"],
    ["extensionProviders: [{name: a, zipkin: {}, datadog: {}}]", "zipkin and datadog exclude each other"],
    ["extensionProviders: [{name: a}, {name: a}]", "is there twice"],
    ["rootNamespace: a/b", "expected a DNS label"],
  ])("refuses %s", (text, message) => {
    const { resource, problems } = judgeMesh(text);
    expect(resource).toBeUndefined();
    expect(problems[0]).toMatchObject({ file: "mesh.yaml", line: 1 });
    expect(problems[0]?.message).toContain(message);
  });
});

it("never throws, whatever the data", () => {
  const junk = [null, 0, "", "x", true, [], {}, [null], { a: null }, { number: {} }, [[[]]]];
  for (const spec of junk) {
    for (const kind of [
      "VirtualService",
      "DestinationRule",
      "ServiceEntry",
      "WorkloadEntry",
      "WorkloadGroup",
      "Sidecar",
    ]) {
      for (const metadata of [
        { name: "x" },
        { name: "x", labels: spec },
        { name: "x", namespace: spec, annotations: spec },
      ]) {
        const { documents } = documentFromValue({ apiVersion: "networking.istio.io/v1", kind, metadata, spec });
        for (const document of documents) {
          const { resource, problems } = validateDocument(document);
          expect(problems.filter(({ code }) => code === "IM0006")).toEqual([]);
          expect(resource === undefined).toBe(problems.some(({ severity }) => severity === "error"));
        }
      }
    }
  }
});

it("judges many routes without comparing each with each", () => {
  /** CPU time in us, which a busy machine does not change much, and a slow one changes alike. */
  const cost = (routes: number): number => {
    const http = Array.from({ length: routes }, (_, index) => ({
      match: [{ uri: { prefix: `/p${index}/` } }],
      route: [{ destination: { host: "a" } }],
    }));
    const { documents } = documentFromValue({
      apiVersion: "networking.istio.io/v1",
      kind: "VirtualService",
      metadata: { name: "x" },
      spec: { hosts: ["a"], http },
    });
    const before = process.cpuUsage();
    expect(validateDocument(documents[0]!).problems).toEqual([]);
    const { user, system } = process.cpuUsage(before);
    return user + system;
  };
  cost(1_000);
  const few = Math.max(cost(1_000), cost(1_000));
  expect(cost(20_000) / few).toBeLessThan(100); // 20 for what grows with them, 400 for each with each
}, 60_000);
