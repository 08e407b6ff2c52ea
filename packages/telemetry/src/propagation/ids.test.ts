import { seededRandom } from "@inmesh/core";
import { expect, it } from "vitest";
import { newSpanId, newTraceId } from "./ids.js";

it("ids are hexadecimal digits of full length, each another one", () => {
  const random = seededRandom(1);
  const traces = Array.from({ length: 200 }, () => newTraceId(random));
  const spans = Array.from({ length: 200 }, () => newSpanId(random));
  expect(traces.filter((id) => /^[0-9a-f]{32}$/.test(id))).toHaveLength(200);
  expect(spans.filter((id) => /^[0-9a-f]{16}$/.test(id))).toHaveLength(200);
  expect(new Set([...traces, ...spans])).toHaveLength(400);
});

it.each([
  [0, "00000000".repeat(3) + "00000001", "0000000000000001"],
  [1 - 2 ** -32, "ffffffff".repeat(4), "ffffffffffffffff"],
  [0x0a0b0c0d / 2 ** 32, "0a0b0c0d".repeat(4), "0a0b0c0d0a0b0c0d"],
])("of chance %d are never zero, and nothing of a word is lost", (chance, trace, span) => {
  const random = { next: () => chance, int: () => 0 };
  const last = (id: string) => id.slice(0, -8);
  expect([last(newTraceId(random)), last(newSpanId(random))]).toEqual([last(trace), last(span)]);
  expect(newSpanId(random)).not.toMatch(/^0+$/);
});
