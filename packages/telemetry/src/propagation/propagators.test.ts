import { describe, expect, it } from "vitest";
import { Propagators } from "./propagators.js";

const TRACE = "80f198ee56343ba864fe8b2a57d3eff7";
const SPAN = "e457b5a2e4d86bd1";
const CONTEXT = { traceId: TRACE, spanId: SPAN, flags: 1, traceState: "" };
const W3C = `00-${TRACE}-${SPAN}-01`;

function read(names: string | undefined, headers: Readonly<Record<string, string>>) {
  const propagators = new Propagators(names);
  return { found: propagators.read((name) => headers[name]), malformed: propagators.malformed };
}

describe("OTEL_PROPAGATORS", () => {
  it.each([
    [undefined, ["traceparent", W3C]],
    ["", ["traceparent", W3C]],
    ["b3", ["b3", `${TRACE}-${SPAN}-1`]],
    ["b3multi", ["x-b3-traceid", TRACE, "x-b3-spanid", SPAN, "x-b3-sampled", "1"]],
    ["jaeger", ["uber-trace-id", `${TRACE}:${SPAN}:0:1`]],
    ["none", []],
    ["tracecontext, b3 ,b3", ["traceparent", W3C, "b3", `${TRACE}-${SPAN}-1`]],
  ])("%j is written", (names, lines) => {
    expect(new Propagators(names).write(CONTEXT)).toEqual(lines);
  });

  it.each([
    ["b3", { b3: `${TRACE}-${SPAN}-1` }],
    ["b3", { b3: `${TRACE}-${SPAN}-d-${SPAN}` }],
    ["b3multi", { "x-b3-traceid": TRACE, "x-b3-spanid": SPAN, "x-b3-sampled": "1", "x-b3-parentspanid": SPAN }],
    ["b3multi", { "x-b3-traceid": TRACE, "x-b3-spanid": SPAN, "x-b3-flags": "1" }],
    ["jaeger", { "uber-trace-id": `${TRACE}:${SPAN}:0:1` }],
    ["jaeger", { "uber-trace-id": `${TRACE}%3A${SPAN}%3a0%3A3` }],
    ["b3,tracecontext", { traceparent: W3C }],
  ])("%s is read from %j", (names, headers) => {
    expect(read(names, headers).found).toEqual(CONTEXT);
  });

  it("the first format that brings a valid context wins", () => {
    const b3 = `${"1".repeat(32)}-${SPAN}-0`;
    expect(read("tracecontext,b3", { traceparent: W3C, b3 }).found).toEqual(CONTEXT);
    expect(read("b3,tracecontext", { traceparent: W3C, b3 }).found?.traceId).toBe("1".repeat(32));
    expect(read("tracecontext,b3", { traceparent: "00-what", b3 })).toMatchObject({
      found: { traceId: "1".repeat(32), flags: 0 },
      malformed: 1,
    });
  });

  it("short ids of older tracers are filled up with zeros", () => {
    expect(read("b3", { b3: `${SPAN}-${SPAN}-1` }).found?.traceId).toBe(`${"0".repeat(16)}${SPAN}`);
    expect(read("jaeger", { "uber-trace-id": "1f:2:0:0" }).found).toEqual({
      traceId: `${"0".repeat(30)}1f`,
      spanId: "0000000000000002",
      flags: 0,
      traceState: "",
    });
  });

  it.each([
    ["b3", { b3: "0" }],
    ["b3", { b3: `${"0".repeat(32)}-${SPAN}-1` }],
    ["b3multi", { "x-b3-traceid": "zz", "x-b3-spanid": SPAN }],
    ["jaeger", { "uber-trace-id": `${TRACE}:0:0:1` }],
    ["jaeger", { "uber-trace-id": "1".repeat(10_000) }],
  ])("%s is not read from %j", (names, headers) => {
    expect(read(names, headers).found).toBeUndefined();
  });

  it("says which names it does not know", () => {
    expect(new Propagators("tracecontext,xray,ottrace").unknown).toEqual(["xray", "ottrace"]);
  });
});
