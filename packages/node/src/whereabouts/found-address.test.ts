import type { NetworkInterfaceInfo } from "node:os";
import { describe, expect, it } from "vitest";
import { foundAddress, type Surroundings } from "./found-address.js";

const at = (address: string, internal = false) => ({ address, internal }) as NetworkInterfaceInfo;
const LOOPBACK = [at("127.0.0.1", true), at("::1", true)];
const listening = (addresses: readonly string[]) =>
  addresses.map((address, index) => ({ address, port: 8000 + index, protocol: "http" as const }));

describe("foundAddress", () => {
  it.each([
    [[], "127.0.0.1"],
    [["::"], "127.0.0.1"],
    [["0.0.0.0"], "127.0.0.1"],
    [["::1"], "::1"],
    [["::ffff:10.0.0.3"], "10.0.0.3"],
    [["10.0.0.3", "::"], "10.0.0.3"],
  ])("of a process bound to %j, with all callers on this machine, is %s", (addresses, expected) => {
    expect(foundAddress(listening(addresses), undefined).address).toBe(expected);
  });

  const lan = { lo: LOOPBACK, eth0: [at("fe80::1"), at("2001:db8::3"), at("10.0.0.3")], eth1: [at("10.1.0.3")] };
  const six = { lo: LOOPBACK, eth0: [at("fe80::1"), at("2001:db8::3")] };
  const alone = { lo: LOOPBACK };
  it.each<[string, string[], Surroundings, string, string]>([
    ["bound to one address", ["10.1.0.3"], { interfaces: lan, agent: "10.0.0.3" }, "10.1.0.3", "bound to it"],
    ["beside an agent that says this machine's", ["::"], { interfaces: lan, agent: "10.1.0.3" }, "10.1.0.3", "agent"],
    ["that only calls", [], { interfaces: lan, agent: "10.1.0.3" }, "10.1.0.3", "agent"],
    ["beside an agent of IPv6", ["::"], { interfaces: lan, agent: "2001:db8::3" }, "2001:db8::3", "agent"],
    ["of IPv4 beside an agent of IPv6", ["0.0.0.0"], { interfaces: lan, agent: "2001:db8::3" }, "10.0.0.3", "eth0"],
    ["beside an agent for development", ["::"], { interfaces: lan, agent: "127.0.0.1" }, "127.0.0.1", "agent"],
    ["with an agent at the end of a tunnel", ["::"], { interfaces: lan, agent: "10.9.9.9" }, "10.0.0.3", "eth0"],
    [
      "with a server elsewhere",
      ["0.0.0.0"],
      { interfaces: lan, towards: "10.1.0.3" },
      "10.1.0.3",
      "talks to the registry",
    ],
    ["of IPv4 with a server of IPv6", ["0.0.0.0"], { interfaces: lan, towards: "2001:db8::3" }, "10.0.0.3", "eth0"],
    ["with nothing but interfaces: IPv4 comes first", ["::"], { interfaces: lan }, "10.0.0.3", "first of eth0"],
    ["on a machine of IPv6 alone", ["::"], { interfaces: six }, "2001:db8::3", "first of eth0"],
    ["of IPv4 on a machine of IPv6 alone", ["0.0.0.0"], { interfaces: six }, "127.0.0.1", "no other"],
    ["on a machine without a network", ["::"], { interfaces: alone }, "127.0.0.1", "no other"],
  ])("of a process %s is told with its reason", (_, addresses, surroundings, address, why) => {
    const found = foundAddress(listening(addresses), surroundings);
    expect(found.address).toBe(address);
    expect(found.why).toContain(why);
  });
});
