import { describe, expect, it } from "vitest";
import {
  fqdnFault,
  gatewayHostFault,
  hostFault,
  labelKeyFault,
  labelValueFault,
  subnetFault,
  unixPathFault,
} from "./name-syntax.js";

const LONG = "a".repeat(64);

describe("hostFault", () => {
  it.each([
    "reviews",
    "*",
    "*.example.com",
    "*foo.com",
    "*-foo.com",
    "a.b.c.",
    "A.example",
    "1.example",
    "a".repeat(63),
  ])("takes %s", (host) => expect(hostFault(host)).toBeUndefined());

  it.each([
    "",
    "a..b",
    "a.*.com",
    "foo.*",
    "-a.com",
    "a_b.com",
    "a.1",
    "a.-5",
    "~",
    "./x",
    LONG,
    `${"a.".repeat(200)}com`,
    "ä.com",
  ])("refuses %.20j", (host) => expect(hostFault(host)).toMatch(/\. [A-Z]/));
});

it("fqdnFault takes no wildcard", () => {
  expect(fqdnFault("*.example.com")).toContain('"*"');
  expect(fqdnFault("example.com")).toBeUndefined();
});

it("gatewayHostFault takes the names that gateways derive, with SNI rules only", () => {
  const derived = "outbound_.80_._.e2e.foobar.mesh";
  expect([gatewayHostFault(derived, true), typeof gatewayHostFault(derived, false)]).toEqual([undefined, "string"]);
  expect(gatewayHostFault("outbound_.x_._.e2e", true)).toContain("outbound_.<port>");
});

it.each([
  ["10.0.0.1", true],
  ["10.0.0.0/8", true],
  ["::1/128", true],
  ["10.0.0.0/33", false],
  ["10.0.0.0/08", false],
  ["10.0.0.1/", false],
  ["10.0.0.1/8/8", false],
  ["010.0.0.1", false],
  ["fe80::1%eth0/64", false],
  ["example.com", false],
])("subnetFault judges %s: %s", (subnet, valid) => {
  expect(subnetFault(subnet) === undefined).toBe(valid);
});

it.each([
  ["app", "web", true],
  ["app.kubernetes.io/name", "a_b.c", true],
  ["app", "", true],
  ["", "x", false],
  ["/name", "x", false],
  ["app", "-x", false],
  ["app", "a b", false],
  [LONG, "x", false],
  [`${"a".repeat(1e5)}!`, "x", false],
])("labels %.20j=%s are judged: %s", (key, value, valid) => {
  expect((labelKeyFault(key) ?? labelValueFault(value)) === undefined).toBe(valid);
});

it.each([
  ["/run/a.sock", true],
  ["@abstract", true],
  ["", false],
  ["run/a.sock", false],
  ["/run/", false],
])("unixPathFault judges %j: %s", (path, valid) => {
  expect(unixPathFault(path) === undefined).toBe(valid);
});
