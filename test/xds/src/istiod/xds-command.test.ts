/** `inmesh xds dump` as it is installed, against a real istiod: what it prints is what was written there. */

import { execFile } from "node:child_process";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";
import { findIstiod } from "./find-istiod.js";
import { Istiod } from "./istiod.js";
import { routeTo } from "./shop.js";

const binary = findIstiod("inmesh xds against an istiod");
const BIN = fileURLToPath(new URL("../../../../packages/cli/bin/inmesh.js", import.meta.url));

async function dump(...line: readonly string[]): Promise<{ items: Record<string, unknown>[] }> {
  const stdout = await new Promise<string>((resolve, reject) => {
    execFile(process.execPath, [BIN, "xds", "dump", ...line, "-o", "json", "--timeout", "30s"], (error, out, err) =>
      error === null ? resolve(out) : reject(new Error(err)),
    );
  });
  return JSON.parse(stdout);
}

const SERVICE = {
  ...{ apiVersion: "networking.istio.io/v1", kind: "ServiceEntry" },
  metadata: { name: "reviews", namespace: "shop" },
  spec: {
    ...{ hosts: ["reviews.shop.svc.cluster.local"], location: "MESH_INTERNAL", resolution: "STATIC" },
    ports: [{ number: 80, name: "http", protocol: "HTTP" }],
    endpoints: [{ address: "127.0.0.1", ports: { http: 9080 } }],
  },
};

describe.skipIf(binary === undefined)("inmesh xds dump of a real istiod", () => {
  it("prints Istio's resources, a sidecar's, and those of gRPC by name", { timeout: 120_000 }, async () => {
    const route = routeTo("reviews", "v1");
    await using istiod = await Istiod.start({ binary: binary ?? "", documents: [SERVICE, route] });
    const base = `xds://${istiod.address}`;
    const api = await dump(base, "-n", "shop", "--type", "VirtualService");
    expect(api.items).toHaveLength(1);
    expect(api.items[0]).toMatchObject({ kind: "VirtualService", spec: (route as { spec: object }).spec });
    expect((await dump(base, "-n", "shop")).items.map(({ kind }) => kind)).toContain("MeshConfig");

    const clusters = await dump(`${base}?profile=envoy`, "-n", "shop", "--type", "clusters");
    expect(clusters.items.map(({ name }) => name)).toContain("outbound|80||reviews.shop.svc.cluster.local");

    const grpc = await dump(`${base}?profile=grpc`, "-n", "shop", "--name", "reviews.shop.svc.cluster.local:80");
    const types = new Set(grpc.items.map((item) => String(item["@type"]).split(".").at(-1)));
    expect([...types].slice(0, 2)).toEqual(["Listener", "RouteConfiguration"]);
  });
});
