import { describe, expect, it } from "vitest";
import type { StringMatch } from "../kind/field.js";
import type { HttpRedirectSpec, HttpRewriteSpec } from "../kind/virtual-service.js";
import { request } from "./fixture.test.helper.js";
import { compilePathTest } from "./path-test.js";
import { compileDirectResponse, compileRedirect } from "./redirect.js";
import { compileRewrite } from "./rewrite.js";

const regex = (match: string, rewrite: string): HttpRewriteSpec => ({ uriRegexRewrite: { match, rewrite } });

describe("compileRewrite", () => {
  it.each<[HttpRewriteSpec, StringMatch | undefined, string, string]>([
    [{ uri: "/v1/books" }, { prefix: "/ratings" }, "/ratings/7", "/v1/books/7"],
    [{ uri: "/" }, { prefix: "/foo" }, "/foo/bar", "//bar"],
    [{ uri: "/" }, { prefix: "/foo/" }, "/foo/bar", "/bar"],
    [{ uri: "/new" }, { exact: "/old" }, "/old", "/new"],
    [{ uri: "/new" }, { regex: "/o.*" }, "/old/x", "/new"],
    [{ uri: "/nouri" }, undefined, "/any/p", "/nouriany/p"],
    [regex("^/a", "/new"), undefined, "/a/a", "/new/a"],
    [regex("/v([0-9]+)", "/\\1"), undefined, "/v1/v22", "/1/22"],
    [regex("a", "<\\0>"), undefined, "/aba", "/<a>b<a>"],
    [regex("a", "\\\\"), undefined, "/a", "/\\"],
    [regex("a", "\\1"), undefined, "/a", "/a"], // no such group: RE2 leaves the text alone
    [regex("x*", "-"), undefined, "/b", "-/-b-"],
    // Nothing is not found right behind something (seen with Envoy 1.40).
    [regex(".*", "/z"), undefined, "/ab/12", "/z"],
    [regex("a*", "b"), undefined, "/aab", "b/bbb"],
    [regex("[a-z]*", "<\\0>"), undefined, "/ab/12", "<>/<ab>/<>1<>2<>"],
  ])("%j after %j turns %s into %s", (spec, uri, path, expected) => {
    const rewrite = compileRewrite(spec, undefined, compilePathTest(uri, false));
    expect(rewrite?.path?.(path) ?? path).toBe(expected);
  });

  it("replaces as many characters as matched, whatever their case", () => {
    const rewrite = compileRewrite({ uri: "/x" }, undefined, compilePathTest({ prefix: "/Foo" }, true));
    expect(rewrite?.path?.("/fOO/bar")).toBe("/x/bar");
  });
});

describe("compileRedirect", () => {
  it.each<[HttpRedirectSpec, string, string, string]>([
    [{ uri: "/new" }, "cart", "/old?q=1", "http://cart/new?q=1"],
    [{ uri: "/new?x=2" }, "cart", "/old?q=1", "http://cart/new?x=2"],
    [{ uri: "new" }, "cart", "/old", "http://cart/new"],
    [{ authority: "go.example" }, "cart:8080", "/a?b", "http://go.example/a?b"],
    [{ scheme: "https" }, "cart:80", "/a", "https://cart/a"],
    [{ scheme: "https" }, "cart:8080", "/a", "https://cart:8080/a"],
    [{ port: 8443 }, "cart:8080", "/a", "http://cart:8443/a"],
    [{ port: 80 }, "cart", "/a", "http://cart/a"],
    [{ scheme: "https", port: 443 }, "cart", "/a", "https://cart/a"],
    [{ scheme: "http", port: 443 }, "cart", "/a", "http://cart:443/a"],
    [{ derivePort: "FROM_REQUEST_PORT", authority: "go" }, "cart", "/a", "http://go:9080/a"],
    [{ derivePort: "FROM_PROTOCOL_DEFAULT", scheme: "https" }, "cart", "/a", "https://cart/a"],
    [{ uri: "/x" }, "[::1]:80", "/a", "http://[::1]:80/x"],
    [{ port: 81 }, "[::1]", "/a", "http://[::1]:81/a"],
    [{ prefixRewrite: "/new" }, "cart", "/old/a?b", "http://cart/new/a?b"],
  ])("%j sends %s%s to %s", (spec, authority, path, location) => {
    const action = compileRedirect(spec, 9080, compilePathTest({ prefix: "/old" }, false));
    expect(action.location(request(path, { authority }))).toBe(location);
    expect(action.status).toBe(301);
  });
});

describe("compileDirectResponse", () => {
  it("decodes bytes, and sends no body where HTTP has none", () => {
    expect(compileDirectResponse({ status: 503, body: { bytes: "aGk=" } }).body).toEqual(Buffer.from("hi"));
    expect(compileDirectResponse({ status: 204, body: { string: "hi" } }).body).toBeUndefined();
    expect(compileDirectResponse({ status: 404 })).toMatchObject({ status: 404, body: undefined });
  });
});
