import { describe, expect, it } from "vitest";
import { AddressGuard } from "./address-guard.js";

describe("AddressGuard", () => {
  it.each([
    ...["127.0.0.1", "127.255.255.254", "0.0.0.0", "0.1.2.3", "169.254.169.254", "169.254.0.1", "100.100.100.200"],
    ...["168.63.129.16", "192.0.0.192", "224.0.0.1", "255.255.255.255", "::", "::1", "fe80::1", "fe80::1%eth0"],
    ...["febf::1", "fec0::1", "ff02::1", "fd00:ec2::254", "fd20:ce::254", "::ffff:127.0.0.1", "::ffff:7f00:1"],
    ...["::127.0.0.1", "::ffff:0:127.0.0.1", "64:ff9b::127.0.0.1", "64:ff9b::a9fe:a9fe", "2002:7f00:1::1"],
    ...["2002:a9fe:a9fe::", "0:0:0:0:0:ffff:7f00:0001", "::ffff:0.0.0.0", "localhost", ""],
  ])("refuses %s", (address) => {
    expect(new AddressGuard().permits(address)).toBe(false);
  });

  it.each([
    "10.0.0.1",
    "192.168.1.1",
    "172.16.0.1",
    "8.8.8.8",
    "::ffff:8.8.8.8",
    "2001:db8::1",
    "fd12::1",
    "64:ff9b::808:808",
  ])("permits %s", (address) => {
    expect(new AddressGuard().permits(address)).toBe(true);
  });

  it("permits what is allowed by name, and no more", () => {
    const guard = new AddressGuard(["127.0.0.1", "fe80::/16"]);
    expect(guard.permits("127.0.0.1")).toBe(true);
    expect(guard.permits("::ffff:127.0.0.1")).toBe(true);
    expect(guard.permits("127.0.0.2")).toBe(false);
    expect(guard.permits("fe80::1")).toBe(true);
    expect(guard.permits("169.254.169.254")).toBe(false);
  });

  it.each([
    "localhost",
    "127.0.0.1/33",
    "127.0.0.1/",
    "10.0.0.0/8/8",
    "::1/129",
    "10/8",
    "10.0.0.0/-1",
    "10.0.0.0/8.5",
  ])("says that %j is no block", (block) => {
    expect(() => new AddressGuard([block])).toThrow(RangeError);
  });
});
