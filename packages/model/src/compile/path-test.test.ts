import { describe, expect, it } from "vitest";
import { literalPrefix } from "./path-test.js";

describe("literalPrefix", () => {
  it.each([
    ["/api/v[0-9]+", "/api/v"],
    ["^/api/.*", "/api/"],
    ["/api/?", "/api"],
    ["/ab+c", "/a"],
    ["/ab{2}", "/a"],
    ["/a\\.b/.*", "/a.b/"],
    ["/a\\.?b", "/a"],
    ["/a\\d+", "/a"],
    ["/a|/b", ""],
    ["(?i)/api", ""],
    ["(/a)?/b", ""],
    [".*", ""],
    ["/a.b", "/a"],
    ["/exact", "/exact"],
  ])("of %s is %j", (regex, prefix) => {
    expect(literalPrefix(regex)).toBe(prefix);
  });
});
