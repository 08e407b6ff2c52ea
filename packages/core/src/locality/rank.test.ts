import type { Locality, LocalityFailover, ZoneAwareness } from "@inmesh/model";
import { describe, expect, it } from "vitest";
import { fakeEndpoint } from "../testing/fake-snapshot.js";
import { rankOf } from "./rank.js";

function place(text: string): Locality {
  const [region = "", zone = "", subZone = ""] = text.split("/");
  return { region, zone, subZone };
}

const OWN = place("eu/eu-1/a");
const labels = (...names: string[]) => names.map((name) => ({ name, value: "mine" }));

const near: LocalityFailover = { kind: "failover", labels: [], nearness: { own: OWN } };
const toUs: LocalityFailover = { kind: "failover", labels: [], nearness: { own: OWN, toRegion: "us" } };
const zones: ZoneAwareness = {
  kind: "zoneAware",
  minClusterSize: 6,
  labels: [],
  nearness: { own: OWN, toRegion: "us" },
};
const rack: LocalityFailover = { kind: "failover", labels: labels("a", "b", "c") };
const both: LocalityFailover = { ...toUs, labels: labels("a") };
const network: LocalityFailover = { kind: "failover", labels: labels("topology.istio.io/network", "region", "zone") };

describe("rankOf", () => {
  it.each<[string, LocalityFailover | ZoneAwareness, string, number]>([
    ["the subzone", near, "eu/eu-1/a", 0],
    ["the zone", near, "eu/eu-1/b", 1],
    ["the region", near, "eu/eu-2/a", 2],
    ["elsewhere", near, "us/us-1/a", 3],
    ["nowhere", near, "", 3],
    ["the region to fail over to", toUs, "us/us-1", 3],
    ["another region than that", toUs, "asia/asia-1", 4],
    ["the own region, for zones", zones, "eu/eu-2", 0],
    ["the region to fail over to, for zones", zones, "us/us-1", 1],
    ["another one, for zones", zones, "asia/asia-1", 2],
  ])("in %s", (_, policy, where, rank) => {
    expect(rankOf(fakeEndpoint({ id: "10.0.0.1:80", ...(where !== "" && { locality: place(where) }) }), policy)).toBe(
      rank,
    );
  });

  it.each<[string, LocalityFailover, Record<string, string>, number]>([
    ["all labels", rack, { a: "mine", b: "mine", c: "mine" }, 0],
    ["all but the last", rack, { a: "mine", b: "mine", c: "other" }, 1],
    ["the first alone", rack, { a: "mine", c: "mine" }, 2],
    ["others than the first", rack, { b: "mine", c: "mine" }, 3],
    ["no label but a region, which counts within labels", both, { a: "other" }, 5 + 3],
    ["another network alone", network, { region: "mine", zone: "mine" }, 3],
    ["another network and zone", network, { region: "mine" }, 4],
    ["another zone of the network", network, { "topology.istio.io/network": "mine", region: "mine" }, 1],
  ])("with %s", (_, policy, given, rank) => {
    expect(rankOf(fakeEndpoint({ id: "10.0.0.1:80", labels: given, locality: place("us/us-1") }), policy)).toBe(rank);
  });
});
