import { explain } from "@inmesh/core";
import { describe, expect, it } from "vitest";
import { envoySnapshot } from "./envoy-snapshot.js";
import { RECORDINGS_MISSING, recordedResources } from "./recorded.test.helper.js";

const CLIENT = { namespace: "shop", service: "app", labels: { app: "app" } };

function snapshot(profile: "envoy" | "grpc") {
  return envoySnapshot({ profile, resources: recordedResources(profile), client: CLIENT, version: 1 });
}

describe.skipIf(RECORDINGS_MISSING !== undefined)("a sidecar's resources of a real istiod", () => {
  it("routes by the rules of the VirtualService that they come from", () => {
    const found = explain(snapshot("envoy"), { url: "http://reviews:9080/old/shoes?q=1" });
    expect(found).toMatchObject({
      outcome: "route",
      virtualHost: "reviews.shop.svc.cluster.local:9080",
      route: { name: "rewritten", resource: "VirtualService/shop/reviews" },
      destinations: [{ cluster: "outbound|9080|v1|reviews.shop.svc.cluster.local", subset: "v1", endpoints: 1 }],
      request: { path: "/new/shoes?q=1", authority: "reviews.internal" },
      retries: { attempts: 0 },
    });
  });
});
