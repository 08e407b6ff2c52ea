import { describe, expect, it } from "vitest";
import { healthEntry } from "../scripted-consul.test.helper.js";
import { foreignInstance } from "./foreign-instance.js";
import { type HealthEntry, healthEntries } from "./health-entry.js";

const CONTEXT = { service: { namespace: "shop", service: "web" }, far: false, warning: "in" } as const;

function entry(
  more: Readonly<Record<string, unknown>> = {},
  node: Readonly<Record<string, unknown>> = {},
): HealthEntry {
  const [made] = healthEntries([healthEntry({ id: "web-1", ...more })], "");
  return { ...made!, Node: { ...made!.Node, ...node } }; // one was given
}

describe("foreignInstance", () => {
  it("takes an instance as it stands in the catalog", () => {
    expect(foreignInstance(entry(), CONTEXT)).toEqual({
      ...{ name: "dc1/n1/web-1", namespace: "shop", service: "web", address: "127.0.0.1" },
      ports: [{ number: 8080, name: "http" }],
      labels: {},
      locality: { region: "dc1", zone: "", subZone: "" },
      ...{ weight: 1, healthy: true },
    });
  });

  it.each([
    ["passing", "in", { weight: 7, healthy: true }],
    ["warning", "in", { weight: 3, healthy: true }],
    ["warning", "out", { healthy: false }],
    ["critical", "in", { healthy: false }],
    ["of a kind that is yet to come", "in", { healthy: false }],
  ] as const)("follows a check that is %s with warnings %s", (status, warning, expected) => {
    const weighted = entry({ status, Weights: { Passing: 7, Warning: 3 } });
    expect(foreignInstance(weighted, { ...CONTEXT, warning })).toMatchObject(expected);
  });

  it.each([
    [{}, {}, false, "127.0.0.1", 8080],
    [{ Address: "" }, {}, false, "10.0.0.1", 8080],
    [{ TaggedAddresses: { wan: { Address: "203.0.113.9", Port: 90 } } }, {}, false, "127.0.0.1", 8080],
    [{ TaggedAddresses: { wan: { Address: "203.0.113.9", Port: 90 } } }, {}, true, "203.0.113.9", 90],
    [{ TaggedAddresses: { wan: { Address: "203.0.113.9", Port: 0 } } }, {}, true, "203.0.113.9", 8080],
    [{ Address: "" }, { TaggedAddresses: { wan: "203.0.113.1" } }, true, "203.0.113.1", 8080],
    [{ Address: "" }, { TaggedAddresses: { wan: "203.0.113.1" } }, false, "10.0.0.1", 8080],
  ])("is reached with %j on a node %j, far %s, at %s", (service, node, far, address, port) => {
    const { ports, ...found } = foreignInstance(entry(service, node), { ...CONTEXT, far });
    expect([found.address, ports[0]?.number]).toEqual([address, port]);
  });

  it("has no port where none is registered", () => {
    expect(foreignInstance(entry({ Port: 0 }), CONTEXT).ports).toEqual([]);
  });

  it.each([
    [{}, "http"],
    [{ Meta: { protocol: "GRPC" } }, "grpc"],
    [{ Meta: { protocol: "none of ours" }, Tags: ["blue", "http2"] }, "http2"],
  ])("names the port of %j %s", (more, name) => {
    expect(foreignInstance(entry(more), CONTEXT).ports).toEqual([{ number: 8080, name }]);
  });

  it("has meta and tags as labels; meta says more than a tag, and no key is special", () => {
    const Meta = JSON.parse('{ "version": "v2", "__proto__": "x", "inmesh-pid": "1" }') as object;
    const { labels } = foreignInstance(entry({ Tags: ["blue", "version=v1", "team=a=b", "=x"], Meta }), CONTEXT);
    expect(Object.entries(labels).sort()).toEqual(
      [
        ["__proto__", "x"],
        ["tag.consul/=x", "true"],
        ["tag.consul/blue", "true"],
        ["tag.consul/team=a=b", "true"],
        ["tag.consul/version=v1", "true"],
        ["team", "a=b"],
        ["version", "v2"],
      ].sort(),
    );
  });

  it("stands where its own meta says, else its node's, else in its datacenter", () => {
    const node = { Meta: { region: "eu", zone: "eu-1", "sub-zone": "rack-1" } };
    expect(foreignInstance(entry({}, node), CONTEXT).locality).toEqual({
      region: "eu",
      zone: "eu-1",
      subZone: "rack-1",
    });
    const own = foreignInstance(entry({ Meta: { zone: "eu-2" } }, node), CONTEXT);
    expect(own.locality).toEqual({ region: "eu", zone: "eu-2", subZone: "rack-1" });
  });
});
