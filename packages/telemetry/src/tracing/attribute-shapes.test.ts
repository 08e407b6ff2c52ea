import { setFlagsFromString } from "node:v8";
import { runInThisContext } from "node:vm";
import { describe, expect, it } from "vitest";
import { AttributeShapes } from "./attribute-shapes.js";

/** V8 itself says whether an object is no dictionary. */
function isFast(): (value: object) => boolean {
  setFlagsFromString("--allow-natives-syntax");
  try {
    const fast = runInThisContext("(value) => %HasFastProperties(value)") as (value: object) => boolean;
    fast({}); // functions are compiled when they are called
    return fast;
  } finally {
    setFlagsFromString("--no-allow-natives-syntax");
  }
}

/** As SDKs fill them. */
function filled(prefix: string, count: number): { readonly attributes: Record<string, unknown> } {
  const attributes: Record<string, unknown> = {};
  for (let index = 0; index < count; index++) attributes[`${prefix}.${index}`] = index % 2 === 0 ? index : "secret";
  return { attributes };
}

describe("shapes of attributes", () => {
  it("keep V8 from making dictionaries of spans that say as much as one before", () => {
    const fast = isFast();
    const first = filled("call", 24);
    expect(fast(first.attributes)).toBe(false);
    const shapes = new AttributeShapes();
    shapes.told(first);
    expect(fast(filled("call", 24).attributes)).toBe(true);
    expect(fast(filled("call", 20).attributes)).toBe(true);
    expect(fast(filled("request", 24).attributes)).toBe(false);
    shapes.told(undefined); // not looked at: alive until here, and with it what it keeps
  });

  it("are not asked of what has none", () => {
    for (const span of [{}, { attributes: null }, filled("few", 3)]) {
      expect(() => new AttributeShapes().told(span)).not.toThrow();
    }
  });
});
