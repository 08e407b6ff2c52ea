import type { ClustersView, ConfigKind } from "@inmesh/core/admin";
import { CONFIG_TYPES } from "@inmesh/core/admin";
import { describe, expect, it } from "vitest";
import { FakeProcess, runCli, TemporaryFolder } from "../testing/run-cli.js";

const HOST = "reviews.shop.svc.cluster.local";
const [V1, V2] = [`outbound|80|v1|${HOST}`, `outbound|8080|v2|${HOST}`];
const istio = { config: "/apis/networking.istio.io/v1/namespaces/shop/destination-rule/reviews" };
const own = (inmesh: object) => ({ metadata: { filter_metadata: { inmesh } } });
const address = (port_value: number) => ({ socket_address: { address: "127.0.0.1", port_value } });

const PARTS: Readonly<Record<ConfigKind, object>> = {
  bootstrap: {
    bootstrap: { node: { id: "shop/web/web-1", metadata: { LABELS: { app: "web" } } }, ...own({ mode: "on" }) },
  },
  clusters: {
    dynamic_active_clusters: [
      { cluster: { name: V1, type: "EDS", metadata: { filter_metadata: { istio, inmesh: { tls: "auto" } } } } },
      { cluster: { name: V2, type: "EDS" } },
    ],
  },
  listeners: {
    dynamic_listeners: [
      {
        active_state: { listener: { name: "x", address: address(8080), ...own({ protocol: "http", mtls: "STRICT" }) } },
      },
    ],
  },
  routes: {
    dynamic_route_configs: [
      {
        route_config: {
          name: "80",
          virtual_hosts: [
            {
              name: `${HOST}:80`,
              domains: [HOST, "reviews"],
              routes: [
                { name: "canary", match: { inmesh: ["prefix /api"] }, route: { cluster: V1 } },
                { match: { prefix: "/" }, redirect: { response_code: 301 } },
              ],
            },
          ],
        },
      },
    ],
  },
  endpoints: {
    dynamic_endpoint_configs: [V1, V2].map((cluster_name) => ({
      endpoint_config: {
        cluster_name,
        endpoints: [
          {
            lb_endpoints: [4711, 4712].map((port) => ({
              endpoint: { address: address(port) },
              health_status: "HEALTHY",
            })),
          },
        ],
      },
    })),
  },
  secrets: {
    dynamic_active_secrets: [
      {
        secret: {
          name: "default",
          tls_certificate: {},
          ...own({ chain: [{ serial: "0A", notBefore: "2020-01-01T00:00:00Z", notAfter: "2021-01-01T00:00:00Z" }] }),
        },
      },
    ],
  },
};
const configs = Object.entries(PARTS).map(([kind, part]) => ({ "@type": CONFIG_TYPES[kind as ConfigKind], ...part }));
const CLUSTERS = {
  clusters: [
    { name: V1, endpoints: [{ id: "127.0.0.1:4712", ejectedForMs: 900, out: [{ reason: "5 errors", forMs: 900 }] }] },
  ],
} as unknown as ClustersView;

async function pc(line: string) {
  using folder = new TemporaryFolder();
  folder.write("mesh/x.txt", "");
  await using _ = await FakeProcess.start(
    `${folder.path}/mesh`,
    {},
    { "/config_dump": { configs }, "/clusters": CLUSTERS },
  );
  return await runCli(["pc", ...line.split(" ")], { cwd: folder.path });
}
const lines = (text: string): string[] =>
  text
    .trimEnd()
    .split("\n")
    .map((line) => line.replaceAll(/ {2,}/g, " | "));

describe("inmesh proxy-config", () => {
  it("shows clusters, routes, listeners, endpoints, secrets as istioctl does", async () => {
    expect(lines((await pc("clusters web")).stdout)).toEqual([
      "SERVICE FQDN | PORT | SUBSET | DIRECTION | TYPE | DESTINATION RULE",
      `${HOST} | 80 | v1 | outbound | EDS | reviews.shop`,
      `${HOST} | 8080 | v2 | outbound | EDS | -`,
    ]);
    expect(lines((await pc("r shop/web -o wide")).stdout)).toEqual([
      "NAME | VHOST NAME | DOMAINS | MATCH | VIRTUAL SERVICE | ACTION",
      `80 | ${HOST}:80 | ${HOST} + 1 more... | prefix /api | - | ${V1}`,
      `80 | ${HOST}:80 | ${HOST} + 1 more... | /* | - | redirect 301`,
    ]);
    expect(lines((await pc("listeners web-1")).stdout)[1]).toBe("127.0.0.1 | 8080 | http, mTLS STRICT | this process");
    expect(lines((await pc("ep web --subset v1")).stdout)).toEqual([
      "ENDPOINT | STATUS | OUTLIER CHECK | CLUSTER",
      `127.0.0.1:4711 | HEALTHY | OK | ${V1}`,
      expect.stringMatching(/^127\.0\.0\.1:4712 \| HEALTHY \| FAILED: .*5 errors/),
    ]);
    expect(lines((await pc("secret web")).stdout)[1]).toMatch(
      /^default \| Cert Chain \| ACTIVE \| false \| 0a \| 2021/,
    );
    expect((await pc("bootstrap web")).stdout).toMatch(/labels +app=web\n/);
  });

  it("chooses by host, port and subset, in JSON as in rows", async () => {
    expect(lines((await pc("clusters web --port 8080")).stdout)).toHaveLength(2);
    expect((await pc(`clusters web --fqdn other`)).stderr).toContain("shop/web-1 has no clusters like that");
    const json = (await pc("endpoints web --subset v2 -o json")).json<{ configs: Record<string, unknown[]>[] }>();
    expect(json.configs[0]?.["dynamic_endpoint_configs"]).toMatchObject([{ endpoint_config: { cluster_name: V2 } }]);
  });

  it("shows all of it, and says when the process is silent", async () => {
    const all = await pc("all web");
    for (const kind of Object.keys(CONFIG_TYPES)) expect(all.stdout).toMatch(new RegExp(`^${kind}$`, "m"));
    expect((await pc("all web -o json")).json<{ configs: unknown[] }>().configs).toHaveLength(6);
    using folder = new TemporaryFolder();
    folder.write("mesh/x.txt", "");
    await using _ = await FakeProcess.start(`${folder.path}/mesh`, {});
    const { code, stderr } = await runCli(["pc", "all", "web"], { cwd: folder.path });
    expect([code, stderr]).toEqual([3, expect.stringContaining("shop/web-1 does not answer")]);
  });
});
