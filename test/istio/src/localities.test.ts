/**
 * Localities beside a real Envoy: the same endpoints are well and ill, and the same shares of 2,000 calls go to each place.
 * Ranks and weights of Envoy's configuration are what istiod 1.26 makes of the same YAML.
 */

import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { testEngine } from "@inmesh/core/testing";
import { compile } from "@inmesh/model";
import { findEnvoy } from "@inmesh-test/identity/peer";
import { Pool } from "undici";
import { describe, expect, it } from "vitest";
import { resourcesIn } from "../../../packages/core/src/testing/policy-resources.test.helper.js";
import { runEnvoy } from "../../bench/src/lib/envoy.js";
import { at, envoyConfiguration } from "./envoy-configuration.js";
import { OWN, PEERS, type Place, SCENARIOS, type Scenario } from "./locality-scenarios.js";

const CALLS = 2_000;
/** Connections at a time. */
const WIDTH = 16;

const partsOf = (locality: string) => {
  const [region = "", zone = "", sub_zone = ""] = locality.split("/");
  return { region, zone, sub_zone };
};

function assignment(name: string, by: Scenario["by"], places: readonly Place[], ports: readonly number[]) {
  let next = 0;
  const endpoints = places.map(({ locality, of, endpoints: count, ill }) => ({
    locality: partsOf(locality),
    priority: by.startsWith("rank") ? of : 0,
    load_balancing_weight: by === "weight" ? of : count,
    lb_endpoints: Array.from({ length: count }, (_, index) => ({
      endpoint: { address: at(ports[next++]!) }, // there are enough
      health_status: index < ill ? "UNHEALTHY" : "HEALTHY",
    })),
  }));
  return { cluster_name: name, endpoints };
}

function configuration(ports: readonly number[]) {
  const routes = SCENARIOS.map(({ name }) => ({ match: { prefix: `/${name}/` }, route: { cluster: name } }));
  const clusters = SCENARIOS.map(({ name, by, places, panic }) => ({
    name,
    type: "STATIC",
    lb_policy: "ROUND_ROBIN",
    common_lb_config: {
      healthy_panic_threshold: { value: panic },
      ...((by === "rank, weighed" || by === "weight") && { locality_weighted_lb_config: {} }),
      ...(by === "zone" && { zone_aware_lb_config: { min_cluster_size: 6 } }),
    },
    load_assignment: assignment(name, by, places, ports),
  }));
  const peers = { name: "peers", type: "STATIC", load_assignment: assignment("peers", "zone", PEERS, ports) };
  const base = envoyConfiguration("localities", routes, [...clusters, peers]);
  return { ...base, node: { ...base.node, locality: OWN }, cluster_manager: { local_cluster_name: "peers" } };
}

/** Percent of the calls for each place. */
function ours({ name, yaml, places }: Scenario): readonly number[] {
  const endpoint = (address: string, locality: string) => `{address: ${address}, locality: ${locality}}`;
  const entry = (host: string, where: readonly Place[], net: number) => `
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: {name: ${host}, namespace: shop}
spec:
  hosts: [${host}.shop.svc.cluster.local]
  ports: [{number: 80, name: http, protocol: HTTP}]
  location: MESH_INTERNAL
  resolution: STATIC
  endpoints: [${where.flatMap(({ locality, endpoints: count }, place) => Array.from({ length: count }, (_, index) => endpoint(`10.${net}.${place}.${index}`, locality))).join(", ")}]
---`;
  const text = `${entry("it", places, 1)}${entry("web", PEERS, 2)}
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: {name: it, namespace: shop}
spec: {host: it, trafficPolicy: ${yaml}}
`;
  const { region, zone, sub_zone: subZone } = OWN;
  const client = { namespace: "shop", service: "web", labels: {}, locality: { region, zone, subZone } };
  const { store, send, clock, engine } = testEngine();
  const publish = (more: string, version: number) =>
    store.publish(
      compile({ resources: resourcesIn(text + more, `${name}.yaml`), workloads: [], client, problems: [], version }),
    );
  publish("", 1);
  send("it");
  clock.advance(1);
  for (const state of engine.clusters.all().flatMap(({ states }) => states)) {
    const [, net, place, index] = state.endpoint.address.split(".").map(Number);
    if (net === 1 && index! < places[place!]!.ill) state.outlierUntil = Number.POSITIVE_INFINITY; // addresses are as above
  }
  const other =
    "---\napiVersion: networking.istio.io/v1\nkind: DestinationRule\nmetadata: {name: web, namespace: shop}\n";
  publish(`${other}spec: {host: web, trafficPolicy: {loadBalancer: {simple: RANDOM}}}\n`, 2);
  const counts = places.map(() => 0);
  for (let count = 0; count < CALLS; count++) {
    const { exchange } = send("it");
    const address = exchange.attempts[0]?.endpoint.endpoint.address ?? "";
    counts[Number(address.split(".")[2])]! += 1;
    clock.advance(1);
  }
  return counts.map((count) => (count * 100) / CALLS);
}

/** Two draws of so many calls differ by less, in percent: 4.5 standard deviations, and the rounding of Envoy's shares. */
function tolerance(share: number): number {
  const part = share / 100;
  return 0.5 + 450 * Math.sqrt((2 * part * (1 - part)) / CALLS);
}

interface ClustersStatus {
  readonly cluster_statuses: readonly {
    readonly name: string;
    readonly host_statuses?: readonly {
      readonly stats: readonly { readonly name: string; readonly value?: string }[];
      readonly locality: { readonly region: string; readonly zone: string; readonly sub_zone: string };
    }[];
  }[];
}

async function listen(): Promise<Server> {
  const server = createServer((_, response) => response.end());
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return server;
}

describe("localities", () => {
  it("get the share of the calls that a real Envoy gives them", { timeout: 120_000 }, async (context) => {
    const binary = findEnvoy("which share of the calls a locality gets");
    if (binary === undefined) return context.skip("no Envoy to compare with");
    const most = Math.max(...SCENARIOS.map(({ places }) => places.reduce((sum, { endpoints }) => sum + endpoints, 0)));
    const servers = await Promise.all(Array.from({ length: most }, listen));
    const folder = mkdtempSync(join(tmpdir(), "inmesh-localities-"));
    const ports = servers.map((server) => (server.address() as AddressInfo).port);
    const envoy = await runEnvoy({ binary, folder, name: "localities", cpu: 0 }, configuration(ports));
    const pool = new Pool(`http://127.0.0.1:${envoy.port}`, { connections: WIDTH, pipelining: 1 });
    const wrong: unknown[] = [];
    try {
      for (const { name } of SCENARIOS) {
        let left = CALLS;
        const work = async (): Promise<void> => {
          for (; left > 0; ) {
            left -= 1;
            const { body } = await pool.request({ path: `/${name}/`, method: "GET" });
            await body.dump();
          }
        };
        await Promise.all(Array.from({ length: WIDTH }, work));
      }
      const admin = readFileSync(join(folder, "localities.admin"), "utf8").trim();
      const { cluster_statuses: clusters } = (await (
        await fetch(`http://${admin}/clusters?format=json`)
      ).json()) as ClustersStatus;
      for (const scenario of SCENARIOS) {
        const hosts = clusters.find(({ name }) => name === scenario.name)?.host_statuses ?? [];
        const theirs = scenario.places.map(({ locality: where }) => {
          const own = hosts.filter(
            ({ locality: { region, zone, sub_zone } }) => `${region}/${zone}/${sub_zone}` === where,
          );
          const calls = own.map(({ stats }) => Number(stats.find((stat) => stat.name === "rq_total")?.value ?? 0));
          return (calls.reduce((sum, each) => sum + each, 0) * 100) / CALLS;
        });
        const mine = ours(scenario);
        const isFar = mine.some((share, index) => !(Math.abs(share - theirs[index]!) <= tolerance(theirs[index]!)));
        if (isFar) wrong.push({ name: scenario.name, ours: mine, theirs });
      }
    } finally {
      await pool.destroy();
      await envoy.stop();
      for (const server of servers) server.closeAllConnections();
      await Promise.all(servers.map((server) => new Promise((resolve) => server.close(resolve))));
      rmSync(folder, { recursive: true });
    }
    expect(wrong).toEqual([]);
  });
});
