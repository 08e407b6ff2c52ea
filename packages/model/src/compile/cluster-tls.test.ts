import { describe, expect, it } from "vitest";
import { parseDocuments } from "../document/parse-documents.js";
import { validateDocument } from "../validate/validate-document.js";
import { compile } from "./compile.js";

const RULE = `
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: { name: pay, namespace: shop }
spec:
  host: pay
  trafficPolicy:
    tls: { mode: ISTIO_MUTUAL }
    portLevelSettings: [{ port: { number: 8080 }, tls: { mode: DISABLE } }]
  subsets: [{ name: plain, labels: {}, trafficPolicy: { tls: { mode: DISABLE } } }]
`;

const OFF = `---
apiVersion: inmesh.dev/v1alpha1
kind: MeshMode
metadata: { name: off, namespace: istio-system }
spec: { mode: "off" }
`;

function tlsOf(yaml: string, cluster: string): string | undefined {
  const { documents } = parseDocuments(yaml, { file: "rule.yaml", namespace: "shop" });
  const snapshot = compile({
    resources: documents.flatMap((document) => validateDocument(document).resource ?? []),
    workloads: [
      {
        name: "pay-1",
        namespace: "shop",
        service: "pay",
        address: "127.0.0.1",
        ports: [{ number: 8080, name: "http" }],
        labels: {},
        weight: 1,
        healthy: true,
      },
    ],
    client: { namespace: "shop", service: "web", labels: {} },
    problems: [],
    version: 1,
  });
  return snapshot.cluster(cluster)?.policy.tls;
}

describe("the TLS mode of a cluster", () => {
  it.each([
    ["outbound|80||pay.shop.svc.cluster.local", "ISTIO_MUTUAL"],
    ["outbound|8080||pay.shop.svc.cluster.local", "DISABLE"],
    ["outbound|80|plain|pay.shop.svc.cluster.local", "DISABLE"],
  ])("of %s is %s", (cluster, mode) => {
    expect(tlsOf(RULE, cluster)).toBe(mode);
  });

  it("is DISABLE where no rule asks for it", () => {
    expect(tlsOf("", "outbound|80||pay.shop.svc.cluster.local")).toBe("DISABLE");
  });

  it("stays when policy is switched off, which must not open a door", () => {
    expect(tlsOf(RULE + OFF, "outbound|80||pay.shop.svc.cluster.local")).toBe("ISTIO_MUTUAL");
  });
});
