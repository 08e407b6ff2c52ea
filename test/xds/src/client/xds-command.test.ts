/** `inmesh xds` as it is installed, against go-control-plane. */

import { execFile } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";
import { AdsServer, type AnyJson } from "../peer/ads-server.js";
import { findGoPeer } from "../peer/find-go-peers.js";

const ads = findGoPeer("ads", "inmesh xds against go-control-plane");
const BIN = fileURLToPath(new URL("../../../../packages/cli/bin/inmesh.js", import.meta.url));
const ENVOY = "type.googleapis.com/envoy.";
const ADS = { ads: {}, resourceApiVersion: "V3" };

const cluster = (name: string, lbPolicy = "ROUND_ROBIN"): AnyJson => ({
  ...{ "@type": `${ENVOY}config.cluster.v3.Cluster`, name, type: "EDS", lbPolicy },
  edsClusterConfig: { edsConfig: ADS, serviceName: `${name}.eds` },
});
const endpoints = (clusterName: string): AnyJson => ({
  ...{ "@type": `${ENVOY}config.endpoint.v3.ClusterLoadAssignment`, clusterName },
  endpoints: [
    { lbEndpoints: [{ endpoint: { address: { socketAddress: { address: "127.0.0.1", portValue: 9080 } } } }] },
  ],
});
const manager = {
  ...{ "@type": `${ENVOY}extensions.filters.network.http_connection_manager.v3.HttpConnectionManager` },
  ...{ statPrefix: "web", rds: { routeConfigName: "web", configSource: ADS } },
  httpFilters: [{ name: "router", typedConfig: { "@type": `${ENVOY}extensions.filters.http.router.v3.Router` } }],
};
const SHOP: readonly AnyJson[] = [
  { "@type": `${ENVOY}config.listener.v3.Listener`, name: "web", apiListener: { apiListener: manager } },
  {
    ...{ "@type": `${ENVOY}config.route.v3.RouteConfiguration`, name: "web" },
    virtualHosts: [
      { name: "web", domains: ["*"], routes: [{ match: { prefix: "/" }, route: { cluster: "reviews" } }] },
    ],
  },
  cluster("reviews"),
  cluster("ratings"),
  endpoints("reviews.eds"),
  endpoints("ratings.eds"),
];

async function inmesh(...line: readonly string[]): Promise<{ code: number; stdout: string; stderr: string }> {
  return await new Promise((resolve) => {
    execFile(process.execPath, [BIN, "xds", ...line], { timeout: 60_000 }, (error, stdout, stderr) =>
      resolve({ code: Number(error?.code ?? 0), stdout, stderr }),
    );
  });
}

interface List {
  readonly items: readonly { readonly "@type": string; readonly name?: string; readonly cluster_name?: string }[];
}

const namesOf = (json: string): string[] =>
  (JSON.parse(json) as List).items.map(
    ({ "@type": type, name, cluster_name }) => `${type.split(".").at(-1)} ${name ?? cluster_name}`,
  );

describe.skipIf(ads === undefined).each(["sotw", "delta"])("inmesh xds, %s, against go-control-plane", (mode) => {
  it("prints all that it serves, what a listener leads to, and what differs", { timeout: 120_000 }, async () => {
    await using server = await AdsServer.start(ads!);
    await server.set("1", SHOP);
    const envoy = `xds://${server.address}?profile=envoy&mode=${mode}`;
    const all = await inmesh("dump", envoy, "-o", "json", "--timeout", "30s");
    expect([all.code, all.stderr]).toEqual([0, ""]);
    expect(namesOf(all.stdout)).toEqual([
      ...["Listener web", "RouteConfiguration web", "Cluster ratings", "Cluster reviews"],
      ...["ClusterLoadAssignment ratings.eds", "ClusterLoadAssignment reviews.eds"],
    ]);
    expect(all.stdout).toContain('"port_value": 9080');

    const grpc = `xds://${server.address}?profile=grpc&mode=${mode}`;
    const led = await inmesh("dump", grpc, "--name", "web", "-o", "json", "--timeout", "30s");
    expect(namesOf(led.stdout)).toEqual([
      ...["Listener web", "RouteConfiguration web", "Cluster reviews", "ClusterLoadAssignment reviews.eds"],
    ]);

    const folder = mkdtempSync(join(tmpdir(), "inmesh-xds-"));
    try {
      writeFileSync(join(folder, "before.json"), all.stdout);
      await server.set("2", [...SHOP.filter(({ name }) => name !== "reviews"), cluster("reviews", "RANDOM")]);
      const differs = await inmesh("diff", join(folder, "before.json"), envoy, "--timeout", "30s");
      expect([differs.code, differs.stdout]).toEqual([1, "~ Cluster reviews\n    lb_policy  + RANDOM\n"]);
    } finally {
      rmSync(folder, { recursive: true });
    }
  });
});
