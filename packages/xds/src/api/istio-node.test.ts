import { expect, it } from "vitest";
import { istioNode } from "./istio-node.js";

const FACTS = {
  ...{ namespace: "shop", name: "web-7d4f", address: "10.0.0.7", labels: { app: "web", version: "v1" }, member: false },
  env: {},
};

it("is a sidecar of its namespace, with what policy chooses by", () => {
  const locality = { region: "eu", zone: "eu-a", subZone: "" };
  expect(istioNode({ ...FACTS, serviceAccount: "web", locality })).toEqual({
    id: "sidecar~10.0.0.7~web-7d4f.shop~shop.svc.cluster.local",
    cluster: "web.shop",
    locality: { region: "eu", zone: "eu-a", sub_zone: "" },
    metadata: {
      ...{ NAMESPACE: "shop", CLUSTER_ID: "Kubernetes", ISTIO_VERSION: "1.26.0", INSTANCE_IPS: "10.0.0.7" },
      ...{ LABELS: { app: "web", version: "v1" }, SERVICE_ACCOUNT: "web" },
    },
  });
});

it("says that it takes TLS, that it is gRPC alone, and what Istio's injection told it", () => {
  const env = { ISTIO_META_CLUSTER_ID: "east", ISTIO_META_MESH_ID: "m", ISTIO_META_NETWORK: "" };
  expect(istioNode({ ...FACTS, member: true, generator: "grpc", env }).metadata).toMatchObject({
    LABELS: { "security.istio.io/tlsMode": "istio" },
    ...{ GENERATOR: "grpc", CLUSTER_ID: "east", MESH_ID: "m" },
  });
  expect(istioNode({ ...FACTS, env }).metadata).not.toHaveProperty("NETWORK");
});
