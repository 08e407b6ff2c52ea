import { describe, expect, it } from "vitest";
import { chainsOf, routeMatchText } from "./raw-rows.js";

const hcm = (config: object) => ({ filters: [{ typed_config: { "@type": "type.googleapis.com/x", ...config } }] });

describe("chainsOf", () => {
  it.each([
    ["by name", hcm({ rds: { route_config_name: "80" } }), "Route: 80"],
    [
      "written into it",
      hcm({ route_config: { virtual_hosts: [{ routes: [{ route: { cluster: "in" } }] }] } }),
      "Inline Route: in",
    ],
    ["TCP", hcm({ cluster: "Passthrough" }), "Cluster: Passthrough"],
    [
      "TCP of several",
      hcm({ weighted_clusters: { clusters: [{ name: "a" }, { name: "b" }] } }),
      "Weighted Clusters: a, b",
    ],
    ["neither", { filters: [] }, "Non-HTTP/Non-TCP"],
  ])("says where a chain leads: %s", (_, chain, destination) => {
    expect(chainsOf({ filter_chains: [chain] } as never)).toEqual([{ match: "ALL", destination }]);
  });

  it("says what a chain is for, and shows the one for the rest", () => {
    const match = {
      ...{ destination_port: 15006, transport_protocol: "tls", application_protocols: ["istio"], server_names: ["a"] },
      prefix_ranges: [{ address_prefix: "10.0.0.0", prefix_len: 8 }],
    };
    const listener = { filter_chains: [{ filter_chain_match: match }], default_filter_chain: hcm({ cluster: "x" }) };
    expect(chainsOf(listener as never).map((chain) => chain.match)).toEqual([
      "Addr: 10.0.0.0/8:15006; SNI: a; Trans: tls; App: istio",
      "ALL",
    ]);
  });
});

describe("routeMatchText", () => {
  it.each([
    [undefined, "/*"],
    [{ prefix: "/api" }, "/api*"],
    [{ path: "/x" }, "/x"],
    [{ safe_regex: { regex: "/v\\d" } }, "regex /v\\d"],
    [{ path_separated_prefix: "/a" }, "/a/*"],
    [{ connect_matcher: {} }, "CONNECT"],
    [{ prefix: "/", headers: [{ name: "a", string_match: { exact: "b" } }] }, '/*, header a exact "b"'],
    [{ prefix: "/", headers: [{ name: "a", exact_match: "b", invert_match: true }] }, '/*, header a not exact "b"'],
    [{ prefix: "/", query_parameters: [{ name: "q", present_match: true }] }, "/*, query q present"],
  ])("%j is %s", (match, text) => {
    expect(routeMatchText(match as never)).toBe(text);
  });
});
