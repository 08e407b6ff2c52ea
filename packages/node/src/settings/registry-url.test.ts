import { describe, expect, it } from "vitest";
import { schemeOf, shownConfig } from "./registry-url.js";

describe("schemeOf", () => {
  it.each([
    ["consul://localhost:8500", "consul"],
    ["Consul://localhost", "consul"],
    ["./mesh", undefined],
    ["C://mesh", undefined],
    ["/mesh/consul://x", undefined],
  ])("of %s is %s", (config, scheme) => {
    expect(schemeOf(config)).toBe(scheme);
  });
});

describe("shownConfig", () => {
  it.each([
    ["consul://s3cret@host:8500?dc=east&prefix=mesh", "consul://host:8500?dc=east&prefix=mesh"],
    ["consul://user:s3cret@host", "consul://host"],
    ["consul://a@s3cret@host:1", "consul://host:1"],
    ["consul://host:8500?token=s3cret&dc=east", "consul://host:8500?dc=east"],
    ["consul://host:8500?TOKEN=s3cret", "consul://host:8500"],
    ["consul://s3cret@", "consul://"],
    ["consul://", "consul://"],
    ["./me@home?token=x", "./me@home?token=x"],
  ])("of %s is %s", (config, shown) => {
    expect(shownConfig(config)).toBe(shown);
  });
});
