/** What control planes and networks do to a client, on a real go-control-plane behind a relay. */

import { spawn } from "node:child_process";
import { once } from "node:events";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { createEndpointType } from "@inmesh/xds/client";
import { describe, expect, it } from "vitest";
import { eventually } from "../eventually.js";
import { AdsServer, type AnyJson } from "../peer/ads-server.js";
import { CuttingRelay } from "../peer/cutting-relay.js";
import { findGoPeer } from "../peer/find-go-peers.js";
import { Told, testClient } from "./watching.js";

const ads = findGoPeer("ads", "the xDS client in hard times");

/** What is still reachable, in bytes. */
function usedHeap(): number {
  setFlagsFromString("--expose-gc");
  (runInNewContext("gc") as () => void)();
  return process.memoryUsage().heapUsed;
}

const assignment = (name: string, ports: readonly number[]): AnyJson => ({
  "@type": "type.googleapis.com/envoy.config.endpoint.v3.ClusterLoadAssignment",
  clusterName: name,
  endpoints: [
    {
      locality: { region: "r" },
      loadBalancingWeight: 1,
      lbEndpoints: ports.map((portValue) => ({
        endpoint: { address: { socketAddress: { address: "127.0.0.1", portValue } } },
      })),
    },
  ],
});

describe.skipIf(ads === undefined).each(["sotw", "delta"] as const)("AdsClient, %s, in hard times", (mode) => {
  it("keeps what it has while the server is away, and goes on with the one that comes back", async () => {
    const first = await AdsServer.start(ads!);
    await first.set("1", [assignment("a", [1])]);
    await using client = testClient({ mode, addresses: [first.address] });
    const told = new Told(client, createEndpointType("grpc"), ["a"]);
    await eventually("the first port", () => told.portsOf("a") === "1");
    await first.kill();
    await eventually("that it is away", () => client.status.state === "stale");
    expect(told.portsOf("a")).toBe("1");
    await using second = await AdsServer.start(ads!, first.address);
    await second.set("9", [assignment("a", [2])]);
    await eventually("the second port", () => told.portsOf("a") === "2");
    expect(client.status.state).toBe("fresh");
    const asked = (await second.log()).find(({ ev }) => ev === "req");
    if (mode === "sotw") expect(asked?.version).toBe("1");
    else expect(Object.keys(asked?.initial ?? {})).toEqual(["a"]);
  });

  it("is told the whole truth however early a stream is cut", async () => {
    await using server = await AdsServer.start(ads!);
    await server.set("1", [assignment("a", [1, 2, 3])]);
    await using relay = await CuttingRelay.start(server.address);
    relay.cutAfter(20, 150); // in the settings of HTTP/2, then in the answer
    await using client = testClient({ mode, addresses: [relay.address] });
    const told = new Told(client, createEndpointType("grpc"), ["a"]);
    await eventually("the ports", () => told.portsOf("a") === "1,2,3");
    await server.set("2", [assignment("a", [4])]);
    await eventually("the new port", () => told.portsOf("a") === "4");
    expect(relay.cuts).toBe(2);
  });

  it("follows a hundred updates a second, each by an acknowledgement, and grows by none of them", async () => {
    const [seconds, perSecond] = process.env["INMESH_MATRIX"] === "1" ? [60, 100] : [3, 100];
    await using server = await AdsServer.start(ads!);
    await using client = testClient({ mode, addresses: [server.address] });
    const told = new Told(client, createEndpointType("grpc"), ["a", "b"]);
    const filler = Array.from({ length: 200 }, (_, index) => 1_000 + index);
    const update = (n: number) => server.set(`${n}`, [assignment("a", [n + 1]), assignment("b", filler)]);
    await update(0);
    await eventually("the first", () => told.portsOf("a") === "1");
    const before = usedHeap();
    const begun = performance.now();
    let n = 0;
    for (; n < seconds * perSecond; ) {
      await update(++n);
      const ahead = (n * 1_000) / perSecond - (performance.now() - begun);
      if (ahead > 1) await new Promise((resolve) => setTimeout(resolve, ahead));
    }
    await eventually("the last", () => told.portsOf("a") === `${n + 1}`);
    const log = await server.log();
    const answers = log.filter(({ ev }) => ev === "res");
    const acknowledged = new Set(log.flatMap(({ ev, nonce }) => (ev === "req" && nonce ? [nonce] : [])));
    await eventually("every acknowledgement", async () => {
      for (const { ev, nonce } of await server.log()) if (ev === "req" && nonce) acknowledged.add(nonce);
      return answers.every(({ nonce }) => nonce === undefined || acknowledged.has(nonce));
    });
    expect(log.filter(({ ev }) => ev === "open")).toHaveLength(1);
    expect(log.filter(({ nack }) => nack)).toEqual([]);
    expect(usedHeap() - before).toBeLessThan(20e6);
  }, 120_000);

  it("does not mind an answer of many megabytes", async () => {
    await using server = await AdsServer.start(ads!);
    const padding = "x".repeat(1_000);
    const big: AnyJson = {
      "@type": "type.googleapis.com/envoy.config.cluster.v3.Cluster",
      name: "big",
      metadata: {
        filterMetadata: { pad: Object.fromEntries(Array.from({ length: 8_000 }, (_, n) => [`k${n}`, padding])) },
      },
    };
    await server.set("1", [big]);
    await using client = testClient({ mode, addresses: [server.address] });
    const sizes = new Told(
      client,
      {
        url: "envoy.config.cluster.v3.Cluster",
        wholeState: true,
        nameOf: () => "big",
        decode: (bytes) => bytes.length,
      },
      ["big"],
    );
    await eventually("the big one", () => (sizes.values.get("big") ?? 0) > 8e6);
    expect(client.status.state).toBe("fresh");
  });
});

it.skipIf(ads === undefined)("lets a script end whose stream is open", async () => {
  await using server = await AdsServer.start(ads!);
  await server.set("1", [assignment("a", [1])]);
  const script = new URL("./script-that-ends.mjs", import.meta.url).pathname;
  const child = spawn(process.execPath, ["--conditions=@inmesh/none", script, server.address], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  let text = "";
  child.stdout.on("data", (piece) => {
    text += piece;
  });
  const [code] = await once(child, "exit");
  expect([code, text]).toEqual([0, "told 1\n"]);
});
