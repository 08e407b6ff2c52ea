/** The cases of the W3C's own test suite (trace-context, test/test.py), as a table. */

import { describe, expect, it } from "vitest";
import { Propagators } from "./propagators.js";
import { formatTraceparent, parseTraceparent, readTracestate } from "./trace-context.js";

const TRACE = "12345678901234567890123456789012";
const SPAN = "1234567890123456";

const read = (headers: Readonly<Record<string, string>>) => new Propagators().read((name) => headers[name]);

describe("traceparent", () => {
  it.each([
    ["as it should be", `00-${TRACE}-${SPAN}-01`],
    ["not sampled", `00-${TRACE}-${SPAN}-00`],
    ["a version to come", `cc-${TRACE}-${SPAN}-01`],
    ["a version to come with more fields", `cc-${TRACE}-${SPAN}-01-what-the-future-will-be-like`],
    ["blanks around it", ` \t00-${TRACE}-${SPAN}-01\t `],
    ["flags nobody knows yet", `00-${TRACE}-${SPAN}-ff`],
  ])("is taken: %s", (_, line) => {
    expect(parseTraceparent(line)).toMatchObject({ traceId: TRACE, spanId: SPAN });
  });

  it.each([
    ["two lines, joined", `00-${TRACE}-${SPAN}-01, 00-${TRACE}-${SPAN}-01`],
    ["version ff", `ff-${TRACE}-${SPAN}-01`],
    ["version with strange characters", `.0-${TRACE}-${SPAN}-01`],
    ["version with strange characters, second", `0.-${TRACE}-${SPAN}-01`],
    ["version too long", `000-${TRACE}-${SPAN}-01`],
    ["version too short", `0-${TRACE}-${SPAN}-01`],
    ["more after version 00", `00-${TRACE}-${SPAN}-01-`],
    ["more fields after version 00", `00-${TRACE}-${SPAN}-01-what`],
    ["a later version without a separator", `cc-${TRACE}-${SPAN}-01.what`],
    ["trace id of zeros", `00-${"0".repeat(32)}-${SPAN}-01`],
    ["trace id with strange characters", `00-.${TRACE.slice(1)}-${SPAN}-01`],
    ["trace id in capitals", `00-${"A".repeat(32)}-${SPAN}-01`],
    ["trace id too long", `00-${TRACE}3-${SPAN}-01`],
    ["trace id too short", `00-${TRACE.slice(1)}-${SPAN}-01`],
    ["span id of zeros", `00-${TRACE}-${"0".repeat(16)}-01`],
    ["span id with strange characters", `00-${TRACE}-.${SPAN.slice(1)}-01`],
    ["span id too long", `00-${TRACE}-${SPAN}7-01`],
    ["span id too short", `00-${TRACE}-${SPAN.slice(1)}-01`],
    ["flags with strange characters", `00-${TRACE}-${SPAN}-.0`],
    ["flags with strange characters, second", `00-${TRACE}-${SPAN}-0.`],
    ["flags too long", `00-${TRACE}-${SPAN}-001`],
    ["flags too short", `00-${TRACE}-${SPAN}-1`],
    ["empty", ""],
    ["a novel", `00-${TRACE}-${SPAN}-01`.padEnd(100_000, "-")],
  ])("begins anew: %s", (_, line) => {
    expect(parseTraceparent(line)).toBeUndefined();
  });

  it("is written in version 00, with the flags that it knows", () => {
    expect(formatTraceparent({ traceId: TRACE, spanId: SPAN, flags: 0xff })).toBe(`00-${TRACE}-${SPAN}-03`);
  });
});

describe("tracestate", () => {
  const members = (count: number): string =>
    Array.from({ length: count }, (_, index) => `bar${String(index).padStart(2, "0")}=${index}`).join(",");

  it.each([
    ["foo=1,bar=2", "foo=1,bar=2"],
    ["foo=1 \t , \t bar=2, \t baz=3", "foo=1,bar=2,baz=3"],
    ["foo=1\t \t,\t \tbar=2,\t \tbaz=3", "foo=1,bar=2,baz=3"],
    [" foo=1", "foo=1"],
    ["\tfoo=1\t", "foo=1"],
    ["foo=1,", "foo=1"],
    [",foo=1", "foo=1"],
    ["foo=1,foo=2,bar=3", "foo=1,bar=3"],
    ["foo=1=", ""],
    ["foo =1", ""],
    ["FOO=1", ""],
    ["foo.bar=1", ""],
    ["foo@=1,bar=2", "foo@=1,bar=2"],
    ["@foo=1,bar=2", ""],
    ["foo@@bar=1,bar=2", "foo@@bar=1,bar=2"],
    ["foo@bar@baz=1,bar=2", "foo@bar@baz=1,bar=2"],
    ["foo=1,bar", ""],
    ["foo=bar=baz", ""],
    ["foo=,bar=3", ""],
    ["", ""],
    [`${"a".repeat(256)}=1`, `${"a".repeat(256)}=1`],
    [`${"z".repeat(257)}=1`, ""],
    [`${"t".repeat(241)}@${"v".repeat(14)}=1`, `${"t".repeat(241)}@${"v".repeat(14)}=1`],
    [`${"t".repeat(254)}@v=1`, `${"t".repeat(254)}@v=1`],
    [`${"t".repeat(255)}@v=1`, ""],
    [members(32), members(32)],
    [members(33), ""],
    [`0a=1`, "0a=1"],
  ])("%j goes on as %j", (line, passedOn) => {
    expect(readTracestate(line)).toBe(passedOn);
  });

  it("with every character that is allowed", () => {
    const key = `${range("a", "z")}${range("0", "9")}_-*/`;
    const value = `${range(" ", "+")}${range("-", "<")}${range(">", "~")}`;
    expect(readTracestate(`${key}=${value},${range("0", "9")}a=x`)).toBe(`${key}=${value},${range("0", "9")}a=x`);
  });

  it("counts for nothing without a traceparent", () => {
    expect(read({ tracestate: "foo=1" })).toBeUndefined();
    expect(read({ traceparent: "nonsense", tracestate: "foo=1" })).toBeUndefined();
  });

  it("that breaks the rules leaves the traceparent alone", () => {
    const found = read({ traceparent: `00-${TRACE}-${SPAN}-01`, tracestate: "FOO=1" });
    expect(found).toEqual({ traceId: TRACE, spanId: SPAN, flags: 1, traceState: "" });
  });
});

function range(from: string, to: string): string {
  let all = "";
  for (let code = from.charCodeAt(0); code <= to.charCodeAt(0); code++) all += String.fromCharCode(code);
  return all;
}
