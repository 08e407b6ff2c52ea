import { describe, expect, it } from "vitest";
import { assignmentBytes, type TestLocality } from "./assignment-bytes.test.helper.js";
import { createEndpointType } from "./endpoint-type.js";

const grpc = createEndpointType("grpc");
const envoy = createEndpointType("envoy");
const at = (address: string, port = 80) => ({ address, port });
const near: TestLocality = { region: "eu", endpoints: [at("10.0.0.1")] };

describe("createEndpointType", () => {
  it("reads what endpoints have", () => {
    const bytes = assignmentBytes("c", [
      {
        region: "eu",
        zone: "1",
        weight: 3,
        endpoints: [
          { ...at("10.0.0.1", 8080), weight: 2, health: "DRAINING", tlsMode: "istio", workload: "web;shop;web;v1;k" },
        ],
      },
    ]);
    expect(envoy.nameOf(bytes)).toBe("c");
    expect(envoy.decode(bytes, "c")).toEqual({
      name: "c",
      overprovisioningPercent: 140,
      drops: [],
      unusable: [],
      localities: [
        {
          region: "eu",
          zone: "1",
          subZone: "",
          priority: 0,
          weight: 3,
          endpoints: [
            {
              address: "10.0.0.1",
              port: 8080,
              weight: 2,
              health: "draining",
              hostname: "",
              metadata: { tlsMode: "istio", workload: "web;shop;web;v1;k", hashKey: "" },
            },
          ],
        },
      ],
    });
  });

  it.each<[string, readonly TestLocality[], RegExp]>([
    ["endpoints without a locality", [{ endpoints: [at("10.0.0.1")] }], /without a locality/],
    ["a locality twice", [near, { region: "eu", endpoints: [] }], /locality eu\/\/ twice in priority 0/],
    ["an address twice", [near, { region: "us", endpoints: [at("10.0.0.1")] }], /10.0.0.1:80 is there twice/],
    ["a host name", [{ region: "eu", endpoints: [at("example.org")] }], /example.org:80: its address is no IP/],
    [
      "a named port",
      [{ region: "eu", endpoints: [{ address: "10.0.0.1", namedPort: "http" }] }],
      /its port is a name, http/,
    ],
    ["a pipe", [{ region: "eu", endpoints: [{ pipe: "/run/s" }] }], /it is a pipe/],
  ])("by gRPC's rules refuses %s; by Envoy's it does not", (_, localities, problem) => {
    expect(() => grpc.decode(assignmentBytes("c", localities), "c")).toThrow(problem);
    expect(envoy.decode(assignmentBytes("c", localities), "c").name).toBe("c");
  });

  it.each<[string, readonly TestLocality[], RegExp]>([
    ["a gap between priorities", [{ ...near, priority: 1 }], /there is no priority 0/],
    [
      "weights that do not fit",
      [
        { ...near, weight: 2 ** 32 - 1 },
        { region: "us", weight: 1, endpoints: [] },
      ],
      /weights of priority 0/,
    ],
  ])("refuses %s", (_, localities, problem) => {
    for (const type of [grpc, envoy]) expect(() => type.decode(assignmentBytes("c", localities), "c")).toThrow(problem);
  });

  it("refuses a share to drop of an unknown denominator, and an assignment without a name", () => {
    const drops = (denominator: number | string) => assignmentBytes("c", [near], { numerator: 5, denominator });
    expect(() => grpc.decode(drops(9), "c")).toThrow(/denominator 9/);
    expect(grpc.decode(drops("TEN_THOUSAND"), "c").drops).toEqual([{ category: "lb", ratio: 0.0005 }]);
    expect(() => grpc.decode(assignmentBytes("", [near]), "")).toThrow(/no name/);
  });

  it("leaves out what Envoy could call and this process cannot, by name", () => {
    const bytes = assignmentBytes("c", [{ endpoints: [{ pipe: "/run/s" }, at("10.0.0.1"), at("10.0.0.1")] }]);
    const { localities, unusable } = envoy.decode(bytes, "c");
    expect(localities[0]?.endpoints.map(({ address }) => address)).toEqual(["10.0.0.1"]);
    expect(unusable).toEqual(["endpoint:0: it is a pipe"]);
  });

  it("tells a new meaning from new bytes", () => {
    const read = (localities: readonly TestLocality[], filters?: readonly string[]) =>
      envoy.decode(assignmentBytes("c", localities, undefined, filters), "c");
    const rich: TestLocality = { endpoints: [{ ...at("10.0.0.1"), tlsMode: "istio", workload: "web" }] };
    const back = ["istio", "envoy.transport_socket_match"];
    expect(assignmentBytes("c", [rich], undefined, back)).not.toEqual(assignmentBytes("c", [rich]));
    expect(envoy.same?.(read([rich]), read([rich], back))).toBe(true);
    expect(envoy.same?.(read([rich]), read([near]))).toBe(false);
    expect(envoy.same?.(read([near]), read([{ ...near, endpoints: [at("10.0.0.1", 81)] }]))).toBe(false);
  });
});
