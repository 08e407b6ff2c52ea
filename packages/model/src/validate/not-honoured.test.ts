import { describe, expect, it } from "vitest";
import { parseDocuments } from "../document/parse-documents.js";
import { SCHEMAS } from "../kind/schema.js";
import { notHonoured } from "./not-honoured.js";
import { NOT_HONOURED_FIELDS } from "./not-honoured-field.js";
import { validateDocument } from "./validate-document.js";

function pathsOf(kind: string, spec: string, file = "x.yaml") {
  const apiVersion = kind === "Service" ? "v1" : "networking.istio.io/v1";
  const text =
    file === "mesh.yaml"
      ? spec
      : `apiVersion: ${apiVersion}\nkind: ${kind}\nmetadata: {name: x}\nspec:\n${spec.replace(/^/gm, "  ")}`;
  const { documents } = parseDocuments(text, { file });
  const { resource, problems } = validateDocument(documents[0]!); // one document above
  expect(problems.filter(({ severity }) => severity === "error")).toEqual([]);
  return notHonoured(resource!); // no errors
}

describe("notHonoured", () => {
  it.each([
    [
      "VirtualService",
      "hosts: [a]\nhttp: [{mirrors: [{destination: {host: b}}], corsPolicy: {}, match: [{statPrefix: a}], timeout: 5s, route: [{destination: {host: a}}]}]",
      [],
    ],
    [
      "VirtualService",
      "hosts: [a]\nhttp: [{mirror: {host: b}, mirrorPercent: 5, route: [{destination: {host: a}}]}]\ntls: []",
      [],
    ],
    [
      "DestinationRule",
      "host: a\ntrafficPolicy: {outlierDetection: {}, loadBalancer: {simple: RANDOM}, connectionPool: {tcp: {connectTimeout: 1s, tcpKeepalive: {time: 9s, probes: 3}}, http: {maxRetries: 3, http2MaxRequests: 9, http1MaxPendingRequests: 3, h2UpgradePolicy: UPGRADE, idleTimeout: 1s, maxRequestsPerConnection: 1}}}",
      ["spec.trafficPolicy.connectionPool.tcp.tcpKeepalive.probes"],
    ],
    [
      "DestinationRule",
      "host: a\nsubsets: [{name: v1}, {name: v2, trafficPolicy: {portLevelSettings: [{port: {number: 80}, tls: {mode: ISTIO_MUTUAL}}]}}]",
      [],
    ],
    [
      "DestinationRule",
      "host: a\ntrafficPolicy: {tls: {mode: SIMPLE, credentialName: secret}}",
      ["spec.trafficPolicy.tls.credentialName"],
    ],
    [
      "DestinationRule",
      "host: a\ntrafficPolicy: {tls: {mode: SIMPLE, sni: a, subjectAltNames: [b], caCertificates: /c, caCrl: /d}}",
      [],
    ],
    [
      "DestinationRule",
      "host: a\ntrafficPolicy: {tls: {mode: DISABLE}, connectionPool: {tcp: {maxConnections: 0}}}",
      [],
    ],
    ["ServiceEntry", "hosts: [a.b]\nresolution: DNS\nsubjectAltNames: [c.d]", []],
    ["ServiceEntry", 'hosts: ["*.b.c"]\nresolution: DYNAMIC_DNS', []],
    ["Sidecar", 'egress: [{hosts: ["./*"]}]\noutboundTrafficPolicy: {mode: REGISTRY_ONLY}', []],
    ["Service", "ports: [{port: 80}]\ntype: ClusterIP", []],
    [
      "WorkloadGroup",
      "metadata: {labels: {app: a}}\ntemplate: {serviceAccount: a}\nprobe: {tcpSocket: {port: 80}}",
      ["spec.metadata", "spec.template", "spec.probe"],
    ],
    [
      "Sidecar",
      'egress: [{port: {number: 80, protocol: HTTP, name: a}, hosts: ["./*"]}, {port: {number: 3128, protocol: HTTP_PROXY, name: b}, bind: 127.0.0.1, captureMode: NONE, hosts: ["./*"]}]',
      ["spec.egress[1].port.protocol", "spec.egress[1].bind", "spec.egress[1].captureMode"],
    ],
  ])("tells of %s %s", (kind, spec, paths) => {
    const problems = pathsOf(kind, spec);
    expect(problems.map(({ path }) => path)).toEqual(paths);
    for (const problem of problems) {
      expect(problem).toMatchObject({ code: "IM0201", severity: "warning", file: "x.yaml" });
      expect(problem.line).toBeGreaterThan(4);
      expect(problem.message).toMatch(
        /^parsed but not honoured by this version: .+\. .+\. Remove it, or do not rely on it\.$/,
      );
    }
  });

  it("tells of every field of MeshConfig that nothing acts on", () => {
    const problems = pathsOf(
      "MeshConfig",
      "accessLogFile: /dev/stdout\ntrustDomain: td\nenableAutoMtls: true\ntrustDomainAliases: [a]\npathNormalization: {normalization: NONE}\nmeshMTLS: {minProtocolVersion: TLSV1_3, cipherSuites: [A]}\ndefaultConfig: {concurrency: 2, gatewayTopology: {numTrustedProxies: 1, proxyProtocol: {}}, proxyHeaders: {forwardedClientCert: SANITIZE}}\nextensionProviders: [{name: a, envoyExtAuthzHttp: {service: a.b, port: 80}}, {name: b, envoyExtAuthzGrpc: {service: a.b, port: 80, clearRouteCache: true}}, {name: c, zipkin: {service: a.b, port: 1}}]\noutboundTrafficPolicy: {mode: ALLOW_ANY_DYNAMIC_DNS}\nlocalityLbSetting: {enabled: true}\nzoneAwareLbSetting: {enabled: false}\nh2UpgradePolicy: DO_NOT_UPGRADE\nserviceEntryVisibility: {applyToSidecars: true}\n",
      "mesh.yaml",
    );
    expect(problems.map(({ path }) => path)).toEqual([
      "outboundTrafficPolicy.mode",
      "serviceEntryVisibility",
      "meshMTLS.cipherSuites",
      "extensionProviders[1].envoyExtAuthzGrpc.clearRouteCache",
      "defaultConfig.concurrency",
      "defaultConfig.gatewayTopology.proxyProtocol",
      "extensionProviders[2].zipkin",
    ]);
  });

  it("has only rows of fields that exist", () => {
    for (const { kind, path } of NOT_HONOURED_FIELDS) {
      // A field that the schema does not know is refused by it; one of the wrong type is refused for its type.
      const spec: Record<string, unknown> = {};
      let place: Record<string, unknown> = spec;
      const steps = path.split(".");
      for (const [index, step] of steps.entries()) {
        const next: Record<string, unknown> = {};
        const value = index === steps.length - 1 ? Symbol("wrong type") : next;
        if (step.endsWith("[]")) place[step.slice(0, -2)] = [value];
        else place[step] = value;
        place = next;
      }
      const issues = SCHEMAS[kind].safeParse(spec).error?.issues ?? [];
      expect(
        issues.filter(({ code }) => code === "unrecognized_keys"),
        `${kind} ${path}`,
      ).toEqual([]);
      expect(issues.length, `${kind} ${path}`).toBeGreaterThan(0);
    }
  });
});
