/** Localities as one client is concerned by them; asked of istiod 1.26, but for zone awareness, which it does not know. */

import { describe, expect, it } from "vitest";
import type { LocalityPolicy } from "../snapshot/traffic-policy.js";
import { CLIENT, endpointsOf, meshConfig, resource, snapshotOf } from "./fixture.test.helper.js";

const REVIEWS = "reviews.shop.svc.cluster.local";
const OWN = { region: "eu", zone: "eu-a", subZone: "s1" };
const rule = (spec: string) => resource("DestinationRule", "reviews", `{host: reviews, trafficPolicy: ${spec}}`);
const entry = resource(
  "ServiceEntry",
  "reviews",
  `{hosts: [${REVIEWS}], location: MESH_INTERNAL, resolution: STATIC, ports: [{number: 80, name: http, protocol: HTTP}], endpoints: [
    {address: 10.0.0.2, locality: eu/eu-a/s1, labels: {rack: r7}}, {address: 10.0.0.3, locality: eu/eu-b, network: net2}, {address: 10.0.0.4}]}`,
);

function localityOf(
  resources: ReturnType<typeof rule>[],
  client: Partial<typeof CLIENT> = { locality: OWN },
): LocalityPolicy | undefined {
  const all = resources.some(({ kind }) => kind === "Service") ? resources : [entry, ...resources];
  const snapshot = snapshotOf(all, [], { client: { ...CLIENT, labels: { app: "web", rack: "r7" }, ...client } });
  return snapshot.cluster(`outbound|80||${REVIEWS}`)?.policy.locality;
}

const withOutliers = (setting: string) => rule(`{outlierDetection: {}, loadBalancer: {localityLbSetting: ${setting}}}`);
const near = { own: OWN };

describe("locality", () => {
  it.each([
    ["nothing without outlierDetection", [], undefined],
    [
      "failover as soon as there is outlierDetection",
      [rule("{outlierDetection: {}}")],
      { kind: "failover", labels: [], nearness: near },
    ],
    ["nothing where the rule switches it off", [withOutliers("{enabled: false}")], undefined],
    [
      "nothing where the mesh switches it off",
      [rule("{outlierDetection: {}}"), meshConfig("{localityLbSetting: {enabled: false}}")],
      undefined,
    ],
    [
      "the rule's setting, not merged with the mesh's",
      [withOutliers("{}"), meshConfig("{localityLbSetting: {enabled: false, failover: [{from: eu, to: us}]}}")],
      { kind: "failover", labels: [], nearness: near },
    ],
    [
      "the region to fail over to",
      [withOutliers("{failover: [{from: us, to: eu}, {from: eu, to: us}]}")],
      { kind: "failover", labels: [], nearness: { own: OWN, toRegion: "us" }, weighsLocalities: true },
    ],
    [
      "labels with the client's own values or written ones",
      [withOutliers("{failoverPriority: [rack, nolabel, topology.kubernetes.io/zone, tier=gold]}")],
      {
        kind: "failover",
        labels: [
          { name: "rack", value: "r7" },
          { name: "nolabel", value: "" },
          { name: "topology.kubernetes.io/zone", value: "eu-a" },
          { name: "tier", value: "gold" },
        ],
        weighsLocalities: true,
      },
    ],
    [
      "labels before regions where both are written",
      [withOutliers("{failoverPriority: [rack], failover: [{from: eu, to: us}]}")],
      {
        ...{ kind: "failover", labels: [{ name: "rack", value: "r7" }], weighsLocalities: true },
        nearness: { own: OWN, toRegion: "us" },
      },
    ],
  ])("is %s", (_, resources, expected) => {
    expect(localityOf(resources)).toEqual(expected);
  });

  it.each([
    [
      "the first rule that means the client",
      "[{from: eu/eu-b/*, to: {us: 100}}, {from: eu/*, to: {eu/eu-a/*: 70, us/*: 30}}]",
      OWN,
      [
        ["eu", "eu-a", 0.7],
        ["us", "", 0.3],
      ],
    ],
    ["every client's with *", '[{from: "*", to: {us: 100}}]', OWN, [["us", "", 1]]],
    ["the region's", "[{from: eu, to: {eu: 100}}]", OWN, [["eu", "", 1]]],
    ["nobody's", "[{from: us, to: {us: 100}}]", OWN, undefined],
    ["nobody's for a client of no locality", "[{from: eu, to: {us: 100}}]", undefined, undefined],
  ])("distributes by %s, healthy or not", (_, distribute, locality, shares) => {
    const balancer = rule(`{loadBalancer: {localityLbSetting: {distribute: ${distribute}}}}`);
    const found = localityOf([balancer], locality === undefined ? {} : { locality });
    expect(found?.kind).toBe(shares && "distribute");
    if (found?.kind !== "distribute") return;
    expect(found.shares.map(({ to, ratio }) => [to.region, to.zone, ratio])).toEqual(shares);
  });

  it("is labels alone, or nothing, for a client of no locality", () => {
    expect(localityOf([rule("{outlierDetection: {}}")], {})).toBeUndefined();
    expect(localityOf([withOutliers("{failoverPriority: [rack]}")], {})).toMatchObject({ labels: [{ value: "r7" }] });
    expect(localityOf([withOutliers("{failoverPriority: [rack=r8]}")], { labels: {} })).toBeUndefined();
  });

  it("is what a service wishes, outlierDetection or not, unless the rule has a setting", () => {
    const wishing = (field: string, metadata = "") =>
      resource("Service", "reviews", `{ports: [{port: 80}]${field}}`, metadata);
    const names = (resources: ReturnType<typeof rule>[]) => {
      const found = localityOf(resources);
      return found?.kind === "failover" ? found.labels.map(({ name }) => name.split("/")[1]) : found;
    };
    const zone = ["network", "region", "zone"];
    expect(names([wishing(", trafficDistribution: PreferClose")])).toEqual(zone);
    expect(names([wishing(", trafficDistribution: PreferSameNode")])).toEqual([...zone, "subzone", "hostname"]);
    expect(names([wishing("", "annotations: {networking.istio.io/traffic-distribution: prefersamezone}")])).toEqual(
      zone,
    );
    const distributing = rule("{loadBalancer: {localityLbSetting: {enabled: false}}}");
    expect(names([wishing(", trafficDistribution: PreferClose"), distributing])).toBeUndefined();
  });

  it("is zone awareness before anything else", () => {
    const aware = (spec: string, more = "") => rule(`{${more}loadBalancer: {zoneAwareLbSetting: ${spec}}}`);
    expect(localityOf([aware("{}")])).toEqual({ kind: "zoneAware", minClusterSize: 6, labels: [], nearness: near });
    const written = "{minClusterSize: 2, failover: [{from: eu, to: us}], failoverPriority: [rack]}";
    expect(localityOf([aware(written, "outlierDetection: {}, ")])).toEqual({
      kind: "zoneAware",
      minClusterSize: 2,
      labels: [{ name: "rack", value: "r7" }],
      nearness: { own: OWN, toRegion: "us" },
    });
    expect(localityOf([aware("{enabled: false}", "outlierDetection: {}, ")])).toBeUndefined();
    expect(localityOf([aware("{}")], {})).toBeUndefined();
    const both = meshConfig("{zoneAwareLbSetting: {minClusterSize: 3}, localityLbSetting: {}}");
    expect(localityOf([both])).toMatchObject({ kind: "zoneAware", minClusterSize: 3 });
  });

  it("is none where the caller's own address is used, or policy is off", () => {
    expect(localityOf([rule("{outlierDetection: {}, loadBalancer: {simple: PASSTHROUGH}}")])).toBeUndefined();
    const distributed = meshConfig("{localityLbSetting: {distribute: [{from: eu, to: {us: 100}}]}}");
    expect(localityOf([distributed])?.kind).toBe("distribute");
    expect(localityOf([distributed, resource("MeshMode", "istio-system/off", '{mode: "off"}')])).toBeUndefined();
  });
});

describe("a subset", () => {
  it.each([
    ["topology.kubernetes.io/zone: eu-b", ["10.0.0.3:80"]],
    ["topology.kubernetes.io/region: eu", ["10.0.0.2:80", "10.0.0.3:80"]],
    ["topology.istio.io/subzone: s1", ["10.0.0.2:80"]],
    ["topology.istio.io/network: net2", ["10.0.0.3:80"]],
  ])("may be chosen by where endpoints run: %s", (labels, endpoints) => {
    const subsets = resource(
      "DestinationRule",
      "reviews",
      `{host: reviews, subsets: [{name: here, labels: {${labels}}}]}`,
    );
    expect(endpointsOf(snapshotOf([entry, subsets]), `outbound|80|here|${REVIEWS}`)).toEqual(endpoints);
  });
});
