import { expect, it } from "vitest";
import { clusterType } from "./cluster.js";
import { KindPool } from "./cluster-kind.js";
import { CLUSTER } from "./urls.js";
import { bytesOf, cluster } from "./written.test.helper.js";

type Kind = Parameters<KindPool["one"]>[0];
const kind = (port: number, more: Partial<Kind> = {}) => ({ kind: "eds", port, ...more }) as Kind;

it("is one object for all clusters that say the same", () => {
  const pool = new KindPool();
  const first = kind(80);
  expect([pool.one(first), pool.one(kind(80)), pool.one(kind(81))]).toEqual([first, first, kind(81)]);
  expect(pool.one(kind(80))).toBe(first);
});

it("is a cluster's own where endpoints are written into it, and keeps no number of them without end", () => {
  const pool = new KindPool();
  const endpoints = {} as NonNullable<Kind["endpoints"]>;
  const [one, other] = [kind(80, { endpoints }), kind(80, { endpoints })];
  expect([pool.one(one) === one, pool.one(other) === other]).toEqual([true, true]);
  const first = pool.one(kind(1));
  for (let port = 2; port < 100; port++) pool.one(kind(port));
  expect(pool.one(kind(1))).not.toBe(first);
});

it("tells clusters apart by all that they say", () => {
  const type = clusterType("envoy");
  const read = (bytes: Uint8Array, name: string) => type.decode(bytes, name);
  const plain = read(cluster("a"), "a");
  const http2 = read(cluster("b", "other", { http2_protocol_options: {} }), "b");
  const istio = { services: [{ name: "c", namespace: "shop" }], external: true };
  const named = read(cluster("c", "c", { metadata: { filter_metadata: { istio } } }), "c");
  const still = read(
    bytesOf(CLUSTER, {
      name: "d",
      type: "STATIC",
      load_assignment: {
        cluster_name: "d",
        endpoints: [
          { lb_endpoints: [{ endpoint: { address: { socket_address: { address: "10.0.0.1", port_value: 80 } } } }] },
        ],
      },
    }),
    "d",
  );
  const shown = [plain, http2, named, still].map(({ name, kind, edsName, host, protocol, service, endpoints }) => ({
    ...{ name, kind, edsName, host, protocol, service, addresses: endpoints?.localities.length },
  }));
  const service = (name: string, namespace = "", external = false) => ({ name, namespace, external });
  expect(shown).toEqual([
    { name: "a", kind: "eds", edsName: "a", host: "a", protocol: plain.protocol, service: service("a") },
    { name: "b", kind: "eds", edsName: "other", host: "b", protocol: "http2", service: service("b") },
    { name: "c", kind: "eds", edsName: "c", host: "c", protocol: plain.protocol, service: service("c", "shop", true) },
    {
      name: "d",
      kind: "inline",
      edsName: "",
      host: "d",
      protocol: plain.protocol,
      service: service("d"),
      addresses: 1,
    },
  ]);
});
