/** What Envoy 1.40 answered to the same policies through istiod 1.26. */

import { describe, expect, it } from "vitest";
import type { CorsPolicySpec } from "../kind/virtual-service.js";
import { compileCors } from "./cors.js";

describe("compileCors", () => {
  it.each<[CorsPolicySpec, string, boolean]>([
    [{ allowOrigins: [{ exact: "https://a" }] }, "https://a", true],
    [{ allowOrigins: [{ exact: "https://a" }] }, "https://b", false],
    [{ allowOrigins: [{ exact: "*" }] }, "https://b", true],
    [{ allowOrigins: [{ exact: "*" }] }, "", false],
    [{ allowOrigins: [{ prefix: "*" }] }, "https://b", true],
    [{ allowOrigins: [{ regex: "\\*|https://a" }] }, "https://b", true],
    [{ allowOrigins: [{ regex: "." }] }, "https://b", true],
    [{ allowOrigins: [{ regex: "https://.*" }] }, "http://b", false],
    [{ allowOrigin: ["*"] }, "https://b", true],
    [{ allowOrigin: ["https://a"] }, "https://b", false],
    [{ allowOrigin: ["*"], allowOrigins: [{ exact: "https://a" }] }, "https://b", false],
  ])("%j and origin %s: %s", (spec, origin, allowed) => {
    expect(compileCors(spec)?.allowsOrigin(origin)).toBe(allowed);
  });
});
