import { describe, expect, it } from "vitest";
import { headerValueFault, isClaimName, matchNameFault, operationNameFault } from "./header-syntax.js";

describe("headerValueFault", () => {
  it.each([
    "",
    "foo",
    "tab\there",
    "%HOSTNAME%",
    "100%%",
    "a %REQ(x-user)% b",
    "%REQ(x?y)%",
    '%UPSTREAM_METADATA(["a", "b"])%',
    "%PER_REQUEST_STATE(a\\)b)%",
    "%DYNAMIC_METADATA(a)  %",
    "%%%HOSTNAME%%%",
  ])("takes %j", (value) => expect(headerValueFault(value)).toBeUndefined());

  it.each([
    "%",
    "abc%123",
    "%START_TIME%%",
    "%REQ(x%",
    "%REQ(x)",
    "%REQ(x)y%",
    "%REQ(x):10%",
    '%M(["a" "b"])%',
    '%M(["a",])%',
    '%M(["a"]x)%',
    "%M([a])%",
    "%M(a\\",
    "bell\u0007",
    "line\nbreak",
    "\u007f",
  ])("refuses %j", (value) => expect(headerValueFault(value)).toMatch(/^header value/));
});

describe("names", () => {
  it.each([
    ["x-user", undefined],
    [":authority", undefined],
    [":path", undefined],
    [":other", "no header name"],
    ["", "no name"],
    ["a b", "no header name"],
    ["@request.auth.claims.sub", undefined],
    ["@request.auth.claims[a][b]", undefined],
    ["@request.auth.claims", "no header name"],
  ])("of a match: %j", (name, fault) => {
    const message = matchNameFault(name);
    if (fault === undefined) expect(message).toBeUndefined();
    else expect(message).toContain(fault);
  });

  it.each([
    ["Host", true, true],
    [":Authority", true, true],
    ["host", false, false],
    [":path", true, false],
    ["", true, false],
    ["x", false, true],
  ])("of an operation: %j, rewriting %s", (name, rewritesHost, valid) => {
    expect(operationNameFault(name, rewritesHost) === undefined).toBe(valid);
  });

  it("of claims are known whatever their case", () => {
    expect(
      ["@REQUEST.auth.CLAIMS.sub", "@request.auth.claims.", "@request.auth.claims[]", "x"].map(isClaimName),
    ).toEqual([true, false, false, false]);
  });
});
