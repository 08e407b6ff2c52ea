import { describe, expect, it } from "vitest";
import type { Resource } from "../resource.js";
import { compareAge } from "./order.js";

function resource(name: string, { time, order }: { time?: string; order?: number } = {}): Resource {
  const metadata = { name, namespace: "shop", labels: {}, annotations: {}, ...(time && { creationTimestamp: time }) };
  const origin = { file: "", line: 0, column: 0, ...(order && { order }), locate: () => ({ line: 0, column: 0 }) };
  return {
    ...{ kind: "Namespace", namespace: "shop", name, key: `Namespace/shop/${name}`, apiVersion: "v1" },
    metadata,
    origin,
    spec: {},
    hash: "",
  };
}

const OLD = "2020-01-01T00:00:00Z";
const NEW = "2026-01-01T00:00:00Z";

describe("compareAge", () => {
  it.each([
    [
      "the earlier time, whatever the registry's order",
      [resource("b", { time: OLD, order: 9 }), resource("a", { time: NEW, order: 1 })],
    ],
    ["who says a time before who says none", [resource("b", { time: NEW, order: 9 }), resource("a", { order: 1 })]],
    [
      "of the same second, whom the registry had first",
      [resource("b", { time: OLD, order: 1 }), resource("a", { time: OLD, order: 2 })],
    ],
    ["without times, whom the registry had first", [resource("b", { order: 1 }), resource("a", { order: 2 })]],
    ["whom the registry kept in order before whom it did not", [resource("b", { order: 1 }), resource("a")]],
    ["the name, where nobody says", [resource("a"), resource("b")]],
    ["the name within one text of the registry", [resource("a", { order: 4 }), resource("b", { order: 4 })]],
  ])("puts first %s", (_, wanted) => {
    expect([...wanted].reverse().sort(compareAge)).toEqual(wanted);
    expect([...wanted].sort(compareAge)).toEqual(wanted);
  });
});
