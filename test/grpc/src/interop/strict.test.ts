/**
 * gRPC's interoperability cases over mTLS, in both directions: grpc-go with an Envoy beside it, as a sidecar stands beside it in
 * Istio, and members of the mesh that take and make nothing else.
 */

import { credentials } from "@grpc/grpc-js";
import type { Mesh } from "@inmesh/node";
import { Authority, cluster, EnvoyProcess, findEnvoy, type Leaf, listener } from "@inmesh-test/identity/peer";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { meshOfYaml, serviceAt } from "../lib/yaml-mesh.js";
import { sums } from "../one-engine/twin.js";
import { ServedMesh } from "../server/served-mesh.js";
import { CASES, TestService, UnimplementedService } from "./cases.js";
import { armed, askAsGo, GO_CASES, hasGoClient } from "./go-client.js";
import { everything, HOST, hasGoServer, startGoServer } from "./go-server.js";
import { TEST_HANDLERS, TEST_SERVICE } from "./test-service.js";

const envoyPath = findEnvoy("gRPC's interoperability cases over mTLS");
const authority =
  envoyPath === undefined ? undefined : new Authority({ trustDomain: "cluster.local", intermediate: true });
const ID = "spiffe://cluster.local/ns/shop/sa";
const closing: (() => unknown)[] = [];

afterAll(async () => {
  for (const close of closing.splice(0).reverse()) await close();
  authority?.[Symbol.dispose]();
});

const shownBy = ({ chainFile, keyFile }: Leaf) => ({
  own: { chain: chainFile, key: keyFile },
  roots: authority!.rootFile,
});

/** Carries bytes: frames, trailers and resets are those of the two that speak. */
function tcp(options: Parameters<typeof listener>[0]): ReturnType<typeof listener> {
  const made = listener(options);
  const type = "type.googleapis.com/envoy.extensions.filters.network.tcp_proxy.v3.TcpProxy";
  const proxy = { name: "tcp", typed_config: { "@type": type, stat_prefix: options.name, cluster: options.cluster } };
  return { ...made, filter_chains: made.filter_chains.map((chain) => ({ ...chain, filters: [proxy] })) } as never;
}

async function envoyBeside(port: number, calls: boolean): Promise<number> {
  const leaf = authority!.workload(calls ? "caller" : "interop");
  const tls = shownBy(leaf);
  const name = "go";
  const envoy = await EnvoyProcess.start(envoyPath!, {
    listeners: [
      tcp({
        name,
        cluster: name,
        ...(!calls && { tls: { ...tls, names: [`${ID}/web`], alpn: ["istio-peer-exchange", "h2", "http/1.1"] } }),
      }),
    ],
    clusters: [cluster({ name, port, ...(calls && { tls: { ...tls, names: [`${ID}/pay`], alpn: ["istio", "h2"] } }) })],
  });
  closing.push(() => envoy[Symbol.asyncDispose]());
  return envoy.port(name);
}

describe.skipIf(!hasGoClient || envoyPath === undefined)("a client of grpc-go, under STRICT", () => {
  let served: ServedMesh;
  let port = 0;
  beforeAll(async () => {
    served = await ServedMesh.start(armed("STRICT"), { identity: `files:${authority!.workload("pay").folder}` });
    served.server.addService(TEST_SERVICE, TEST_HANDLERS);
    closing.push(() => served[Symbol.asyncDispose]());
    port = await envoyBeside(served.port, true);
  });

  it.each(GO_CASES)("passes %s", async (name) => {
    expect(await askAsGo(port, name)).toMatch(/done|succe/i);
  });

  it("is known by its certificate, and gets nowhere without one", async () => {
    await askAsGo(port, "empty_unary");
    const labels = ["source_principal", "connection_security_policy"];
    const counted = await sums([served.mesh], "istio_requests_total", labels);
    expect(Object.keys(counted)).toEqual([`${ID}/caller mutual_tls`]);
    await expect(askAsGo(served.port, "empty_unary")).rejects.toThrow(/Unavailable/);
  });
});

describe.skipIf(!hasGoServer || envoyPath === undefined)(
  "a server of grpc-go, by ISTIO_MUTUAL, everything armed",
  () => {
    let mesh: Mesh;
    beforeAll(async () => {
      const port = await envoyBeside(await startGoServer(closing), false);
      const tls = `tls: { mode: ISTIO_MUTUAL, subjectAltNames: ["${ID}/interop"] }, `;
      const identity = `files:${authority!.workload("web").folder}` as const;
      mesh = await meshOfYaml([serviceAt(HOST, [port]), ...everything(tls)], closing, { identity });
    });

    it.each(Object.keys(CASES))("%s", async (name) => {
      const target = `${HOST}:50051`;
      const client = new TestService(target, credentials.createInsecure(), mesh.grpc.options());
      const other = new UnimplementedService(target, credentials.createInsecure(), mesh.grpc.options());
      try {
        await CASES[name]!(client, other);
      } finally {
        client.close();
        other.close();
      }
    });
  },
);
