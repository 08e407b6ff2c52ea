/** go-control-plane splits 90/10 and by a header: our HTTP client and our gRPC client, the latter to grpc-go, take their shares. */

import { spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { Client, Metadata } from "@grpc/grpc-js";
import type { Mesh } from "@inmesh/node";
import { expect, it } from "vitest";
import { ask, backend, meshAt } from "../istiod/shop.js";
import { AdsServer, type AnyJson } from "../peer/ads-server.js";
import { findGoPeer } from "../peer/find-go-peers.js";

const ads = findGoPeer("ads", "shares that go-control-plane asks for");
const xserver = findGoPeer("xserver", "shares of gRPC calls to grpc-go");
const CALLS = 1_000;
/** Five standard deviations of the smaller share: sqrt(1000 * 0.9 * 0.1) = 9.5. */
const MARGIN = 48;
const TYPE = "type.googleapis.com/envoy";

/** Ports of v1 and v2. */
function world(ports: readonly number[]): AnyJson[] {
  const manager = {
    "@type": `${TYPE}.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager`,
    rds: { configSource: { ads: {} }, routeConfigName: "routes" },
    httpFilters: [{ name: "router", typedConfig: { "@type": `${TYPE}.extensions.filters.http.router.v3.Router` } }],
  };
  const clusters = [90, 10].map((weight, at) => ({ name: `v${at + 1}`, weight }));
  const headers = [{ name: "x-version", stringMatch: { exact: "v2" } }];
  const routes = [
    { match: { prefix: "", headers }, route: { cluster: "v2" } },
    { match: { prefix: "" }, route: { weightedClusters: { clusters } } },
  ];
  return [
    { "@type": `${TYPE}.config.listener.v3.Listener`, name: "echo", apiListener: { apiListener: manager } },
    {
      "@type": `${TYPE}.config.route.v3.RouteConfiguration`,
      name: "routes",
      virtualHosts: [{ name: "echo", domains: ["*"], routes }],
    },
    ...ports.flatMap((portValue, at): AnyJson[] => {
      const [name, address] = [`v${at + 1}`, { socketAddress: { address: "127.0.0.1", portValue } }];
      const edsClusterConfig = { edsConfig: { ads: {} } };
      const locality = { locality: { region: "r" }, loadBalancingWeight: 1, lbEndpoints: [{ endpoint: { address } }] };
      return [
        { "@type": `${TYPE}.config.cluster.v3.Cluster`, name, type: "EDS", edsClusterConfig },
        { "@type": `${TYPE}.config.endpoint.v3.ClusterLoadAssignment`, clusterName: name, endpoints: [locality] },
      ];
    }),
  ];
}

async function sharesHold(
  ports: readonly number[],
  callerOf: (mesh: Mesh) => (version?: string) => Promise<string>,
): Promise<void> {
  await using server = await AdsServer.start(ads ?? "");
  await server.set("1", world(ports));
  await using mesh = await meshAt(`xds://${server.address}?profile=grpc&tls=off`);
  const call = callerOf(mesh);
  const counts: Record<string, number> = { v1: 0, v2: 0 };
  for (let calls = 0; calls < CALLS; calls++) {
    const answer = await call();
    counts[answer] = (counts[answer] ?? 0) + 1;
  }
  expect(Object.keys(counts)).toEqual(["v1", "v2"]);
  expect(Math.abs((counts["v2"] ?? 0) - CALLS / 10)).toBeLessThan(MARGIN);
  for (let calls = 0; calls < 50; calls++) expect(await call("v2")).toBe("v2");
}

it.skipIf(ads === undefined)("of HTTP calls", { timeout: 60_000 }, async () => {
  await using v1 = await backend("v1");
  await using v2 = await backend("v2");
  await sharesHold(
    [v1.port, v2.port],
    (mesh) =>
      (version): Promise<string> =>
        ask(mesh, "http://echo/", version === undefined ? {} : { "x-version": version }),
  );
});

/** SimpleRequest with fill_server_id, and server_id of a SimpleResponse: both are field 9. */
const REQUEST = Buffer.from([0x48, 1]);
const serverId = (bytes: Buffer): string => bytes.subarray(2, 2 + (bytes[1] ?? 0)).toString();

it.skipIf(ads === undefined || xserver === undefined)("of gRPC calls to grpc-go", { timeout: 60_000 }, async () => {
  const servers = ["v1", "v2"].map((id) => spawn(xserver ?? "", ["-id", id], { stdio: ["ignore", "pipe", "inherit"] }));
  try {
    const lines = servers.map(({ stdout }) => once(createInterface({ input: stdout }), "line"));
    const ports = (await Promise.all(lines)).map(([line]) => Number(JSON.parse(line).addr.split(":").at(-1)));
    let client: Client | undefined;
    await sharesHold(ports, (mesh) => {
      const opened = new Client("echo:50051", mesh.grpc.credentials(), mesh.grpc.options());
      client = opened;
      return (version) =>
        new Promise((resolve, reject) => {
          const metadata = new Metadata();
          if (version !== undefined) metadata.set("x-version", version);
          const path = "/grpc.testing.TestService/UnaryCall";
          opened.makeUnaryRequest(
            path,
            (bytes: Buffer) => bytes,
            serverId,
            REQUEST,
            metadata,
            { deadline: Date.now() + 15_000 },
            (error, id) => (error === null ? resolve(id ?? "") : reject(error)),
          );
        });
    });
    client?.close();
  } finally {
    for (const server of servers) server.kill("SIGKILL");
  }
});
