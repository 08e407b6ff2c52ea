import { describe, expect, it } from "vitest";
import type { HttpMatchSpec } from "../kind/virtual-service.js";
import { type RequestPart, request } from "./fixture.test.helper.js";
import { queryValue, RequestMatch } from "./request-match.js";

const YES = true;
const NO = false;

const CASES: readonly (readonly [string, HttpMatchSpec, string, RequestPart, boolean])[] = [
  ["a prefix is no path segment", { uri: { prefix: "/foo" } }, "/foobar", {}, YES],
  ["an empty prefix takes all", { uri: { prefix: "" } }, "/x", {}, YES],
  ["an exact path has no query", { uri: { exact: "/a" } }, "/a?b", {}, YES],
  ["an exact path is whole", { uri: { exact: "/a" } }, "/a/", {}, NO],
  ["a regex matches the whole path", { uri: { regex: "/a" } }, "/ab", {}, NO],
  ["a regex does not see the query", { uri: { regex: "/a.b" } }, "/a?b", {}, NO],
  ["case counts", { uri: { exact: "/A" } }, "/a", {}, NO],
  ["ignoreUriCase: exact", { uri: { exact: "/aB" }, ignoreUriCase: true }, "/Ab", {}, YES],
  ["ignoreUriCase: prefix", { uri: { prefix: "/aB" }, ignoreUriCase: true }, "/AbC", {}, YES],
  ["ignoreUriCase leaves a regex alone", { uri: { regex: "/a" }, ignoreUriCase: true }, "/A", {}, NO],
  ["method", { method: { exact: "GET" } }, "/", { method: "get" }, NO],
  ["method by regex", { method: { regex: "P.*" } }, "/", { method: "PUT" }, YES],
  ["scheme", { scheme: { exact: "https" } }, "/", {}, NO],
  ["the authority is what was written", { authority: { exact: "reviews" } }, "/", { authority: "reviews:80" }, NO],
  ["the authority's case counts", { authority: { prefix: "rev" } }, "/", { authority: "Reviews" }, NO],
  ["header exact", { headers: { "x-User": { exact: "ann" } } }, "/", { headers: { "x-user": "ann" } }, YES],
  ["header missing", { headers: { x: { exact: "" } } }, "/", {}, NO],
  ["header empty", { headers: { x: { exact: "" } } }, "/", { headers: { x: "" } }, YES],
  ["header present", { headers: { x: {} } }, "/", { headers: { x: "" } }, YES],
  ["header absent", { headers: { x: {} } }, "/", {}, NO],
  ["any of repeated lines", { headers: { x: { exact: "b" } } }, "/", { headers: { x: ["a", "b"] } }, YES],
  ["lines are not joined", { headers: { x: { exact: "a,b" } } }, "/", { headers: { x: ["a", "b"] } }, NO],
  ["a pseudo header", { headers: { ":path": { prefix: "/a?q" } } }, "/a?q=1", {}, YES],
  ["host is the authority", { headers: { host: { exact: "reviews" } } }, "/", {}, YES],
  ["without: gone", { withoutHeaders: { x: {} } }, "/", {}, YES],
  ["without: there", { withoutHeaders: { x: {} } }, "/", { headers: { x: "" } }, NO],
  ["without null means presence", { withoutHeaders: { x: null } }, "/", { headers: { x: "1" } }, NO],
  ["without regex * means presence", { withoutHeaders: { x: { regex: "*" } } }, "/", { headers: { x: "1" } }, NO],
  ["without: another value", { withoutHeaders: { x: { exact: "a" } } }, "/", { headers: { x: "b" } }, YES],
  ["without: missing is empty", { withoutHeaders: { x: { exact: "" } } }, "/", {}, NO],
  ["without: missing differs", { withoutHeaders: { x: { exact: "a" } } }, "/", {}, YES],
  [
    "without: one bad line is enough",
    { withoutHeaders: { x: { exact: "a" } } },
    "/",
    { headers: { x: ["b", "a"] } },
    NO,
  ],
  ["query", { queryParams: { q: { exact: "1" } } }, "/?a=2&q=1", {}, YES],
  ["the first value counts", { queryParams: { q: { exact: "2" } } }, "/?q=1&q=2", {}, NO],
  ["queries are not decoded", { queryParams: { q: { exact: "a b" } } }, "/?q=a%20b", {}, NO],
  ["?key has the empty value", { queryParams: { q: { exact: "" } } }, "/?q", {}, YES],
  ["query present", { queryParams: { q: {} } }, "/?q=7", {}, YES],
  ["query missing", { queryParams: { q: {} } }, "/?qq=7", {}, NO],
  ["all together", { uri: { prefix: "/a" }, headers: { x: { exact: "1" } } }, "/a", {}, NO],
];

describe("RequestMatch", () => {
  it.each(CASES)("%s", (_, spec, path, part, expected) => {
    const match = new RequestMatch(spec);
    expect(match.matches(request(path, part))).toBe(expected);
    expect(match.whyNot(request(path, part)) === undefined).toBe(expected);
  });

  it("says what it wants and what it found", () => {
    const match = new RequestMatch({ uri: { prefix: "/api" }, headers: { "x-user": { exact: "ann" } } });
    expect(match.text).toBe('path prefix "/api", header x-user exact "ann"');
    expect(match.whyNot(request("/x?y"))).toBe('path is "/x", wanted: path prefix "/api"');
    expect(match.whyNot(request("/api"))).toBe('header x-user is missing, wanted: header x-user exact "ann"');
  });
});

describe("queryValue", () => {
  it.each([
    ["/?a=1&b=2", "b", "2"],
    ["/?ab=1&b=2", "b", "2"],
    ["/?a=b=c", "a", "b=c"],
    ["/?&&a", "a", ""],
    ["/?a=", "a", ""],
    ["/", "a", undefined],
    ["/?", "a", undefined],
    ["/?a%20b=1", "a b", undefined],
  ])("%s: %s is %j", (path, name, value) => {
    expect(queryValue(path, name)).toBe(value);
  });
});
