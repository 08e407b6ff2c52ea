import { createContextKey, ROOT_CONTEXT, trace } from "@opentelemetry/api";
import { describe, expect, it } from "vitest";
import { contextWith, withoutSpan, withSpan } from "./context-with.js";

const key = createContextKey("a value of the application");
const other = createContextKey("another");
const span = trace.wrapSpanContext({ traceId: "1".repeat(32), spanId: "2".repeat(16), traceFlags: 1 });
const later = trace.wrapSpanContext({ traceId: "1".repeat(32), spanId: "3".repeat(16), traceFlags: 1 });

describe("a context with one value more", () => {
  it("is read by the API as its own are", () => {
    const above = ROOT_CONTEXT.setValue(key, "kept");
    const inner = withSpan(above, span);
    expect(trace.getSpan(inner)).toBe(span);
    expect(inner.getValue(key)).toBe("kept");
    expect(trace.getSpan(above)).toBeUndefined();
    expect(trace.getSpan(trace.setSpan(inner, later))).toBe(later);
    expect(trace.getSpan(trace.deleteSpan(inner))).toBeUndefined();
    expect(trace.deleteSpan(inner).getValue(key)).toBe("kept");
  });

  it("hides a span above it without taking away anything else", () => {
    const inner = withoutSpan(trace.setSpan(ROOT_CONTEXT.setValue(key, "kept"), span));
    expect(trace.getSpan(inner)).toBeUndefined();
    expect(inner.getValue(key)).toBe("kept");
    expect(withoutSpan(ROOT_CONTEXT)).toBe(ROOT_CONTEXT);
  });

  it("keeps its value and takes those that the application sets and deletes", () => {
    const inner = contextWith(withSpan(ROOT_CONTEXT, span), other, true).setValue(key, 1);
    const outer = withSpan(inner, later);
    expect([inner.getValue(key), inner.getValue(other), trace.getSpan(inner)]).toEqual([1, true, span]);
    expect([outer.getValue(key), outer.getValue(other), trace.getSpan(outer)]).toEqual([1, true, later]);
    expect(outer.deleteValue(key).getValue(key)).toBeUndefined();
    expect(outer.deleteValue(other).getValue(other)).toBeUndefined();
    expect(trace.getSpan(outer.deleteValue(key))).toBe(later);
  });

  it("does not grow by being set again and again, so that a chain of calls within calls is no chain of contexts", () => {
    let context = ROOT_CONTEXT;
    for (let turn = 0; turn < 20_000; turn++) {
      context = contextWith(withSpan(context, turn % 2 === 0 ? span : later), other, turn).setValue(key, turn);
    }
    expect([context.getValue(other), context.getValue(key), trace.getSpan(context)]).toEqual([19_999, 19_999, later]); // no stack overflows
  });
});
