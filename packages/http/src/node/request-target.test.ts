import http from "node:http";
import { connect } from "node:net";
import { describe, expect, it } from "vitest";
import { requestTarget } from "./request-target.js";

const listener = () => {};

describe("requestTarget", () => {
  it.each<[string, unknown[], object]>([
    ["a string", ["http://a/b?c"], { host: "a", port: 80, path: "/b?c", method: "GET" }],
    ["a URL", [new URL("http://a:81/b")], { host: "a", port: 81, path: "/b" }],
    ["a string and options", ["http://a/b", { method: "post", path: "/c" }], { host: "a", path: "/c", method: "POST" }],
    ["a string and a listener", ["http://a/", listener], { listener }],
    ["a string, options and a listener", ["http://a/", {}, listener], { listener }],
    ["options", [{ host: "a", port: "81" }], { host: "a", port: 81, path: "/" }],
    ["options and a listener", [{ hostname: "a", host: "b:1" }, listener], { host: "a", listener }],
    ["nothing said of the host", [{ path: "/x" }], { host: "localhost", port: 80 }],
    ["an IPv6 address", ["http://[::1]:8080/"], { host: "::1", port: 8080 }],
    [
      "an upgrade as ws asks for it",
      [{ host: "a", createConnection: () => connect(1), headers: { Upgrade: "websocket" } }],
      { host: "a" },
    ],
    ["inherited options", [Object.create({ host: "a", path: "/p" })], { host: "a", path: "/p" }],
  ])("understands %s", (_, args, expected) => {
    expect(requestTarget(args, "http:")).toMatchObject(expected);
  });

  it.each<[string, unknown[]]>([
    ["a socket path", [{ host: "a", socketPath: "/var/run/docker.sock" }]],
    ["a connection of the caller's own", [{ host: "a", createConnection: () => connect(1) }]],
    ["a URL that is none", ["nonsense"]],
    ["another protocol", ["https://a/"]],
    ["a path with a space", [{ host: "a", path: "/a b" }]],
    ["an absolute URI, as proxies get it", [{ host: "a", path: "http://b/" }]],
    ["a method that is no token", [{ host: "a", method: "G ET" }]],
    ["no arguments", []],
    ["a mock's agent", [{ host: "a", agent: new (class MockAgent extends http.Agent {})() }]],
    ["a proxy's agent", [{ host: "a", agent: new (class HttpProxyAgent extends http.Agent {})() }]],
  ])("leaves %s to Node", (_, args) => {
    expect(requestTarget(args, "http:")).toBeUndefined();
  });

  it("does not write to the caller's options", () => {
    expect(() => requestTarget(["http://a/", Object.freeze({ method: "get" })], "http:")).not.toThrow();
  });
});
