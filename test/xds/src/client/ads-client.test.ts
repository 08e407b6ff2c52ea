import type { ResourceType } from "@inmesh/xds/client";
import { describe, expect, it } from "vitest";
import { eventually } from "../eventually.js";
import { AdsServer, type AnyJson } from "../peer/ads-server.js";
import { findGoPeer } from "../peer/find-go-peers.js";
import { Told, testClient } from "./watching.js";

const ads = findGoPeer("ads", "the xDS client against go-control-plane");
const CLUSTER = "envoy.config.cluster.v3.Cluster";

/** The size of its bytes is all that is read of a cluster here; of a bad one not even that. */
const clusters = (): ResourceType<number> => ({
  url: CLUSTER,
  wholeState: true,
  nameOf: (bytes) =>
    Buffer.from(bytes)
      .subarray(2, 2 + (bytes[1] ?? 0))
      .toString(), // the name comes first
  decode: (bytes, name) => {
    if (name.startsWith("bad")) throw new Error("a bad one");
    return bytes.length;
  },
});

const cluster = (name: string, more: object = {}): AnyJson => ({
  "@type": `type.googleapis.com/${CLUSTER}`,
  name,
  type: "EDS",
  edsClusterConfig: { edsConfig: { ads: {}, resourceApiVersion: "V3" } },
  ...more,
});

describe.skipIf(ads === undefined).each(["sotw", "delta"] as const)(
  "AdsClient, %s, against go-control-plane",
  (mode) => {
    it("hears what there is, what changes and what goes", async () => {
      await using server = await AdsServer.start(ads!);
      await server.set("1", [cluster("a"), cluster("b")]);
      await using client = testClient({ mode, addresses: [server.address] });
      const told = new Told(client, clusters(), "*");
      await eventually("both clusters", () => told.values.size === 2);
      const before = told.values.get("a");
      await server.set("2", [cluster("a", { connectTimeout: "3s" })]);
      await eventually("b gone", () => told.values.has("b") && told.values.get("b") === undefined);
      expect(told.values.get("a")).toBeGreaterThan(before ?? 0);
      expect(client.status.state).toBe("fresh");
      const log = await server.log();
      expect(log.filter(({ ev }) => ev === "open")).toHaveLength(1);
      if (mode === "sotw")
        expect(log.find(({ ev }) => ev === "req")).toMatchObject({ node: "test~1", agent: "inmesh" });
    });

    it("refuses one resource and uses its neighbours", async () => {
      await using server = await AdsServer.start(ads!);
      await server.set("1", [cluster("a"), cluster("bad")]);
      await using client = testClient({ mode, addresses: [server.address] });
      const told = new Told(client, clusters(), "*");
      await eventually("a", () => told.values.has("a"));
      const nack = await eventually("the refusal", async () => (await server.log()).find((event) => event.nack));
      expect(nack.nack).toBe("1 of 2 resources refused: bad: a bad one");
      expect(client.status.resources).toMatchObject([{ name: "bad", state: "NACKED", error: "a bad one" }]);
    });
  },
);
