import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { type ConsulTarget, shownTarget } from "./consul-target.js";
import { isConsulUrl, parseConsulUrl } from "./consul-url.js";

const folder = mkdtempSync(join(tmpdir(), "inmesh-consul-url-"));
const file = (name: string, text: string): string => {
  writeFileSync(join(folder, name), text);
  return join(folder, name);
};
const [ca, cert, key] = [file("ca.pem", "CA"), file("cert.pem", "CERT"), file("key.pem", "KEY")];
const tokenFile = file("token", "from-file\n");

afterAll(() => rmSync(folder, { recursive: true }));

const DEFAULTS = { host: "127.0.0.1", port: 8500, secure: false, prefix: "inmesh", namespace: "default" };

describe("parseConsulUrl", () => {
  it.each<[string, Record<string, string>, Partial<ConsulTarget>]>([
    ["consul://", {}, {}],
    ["consul://consul.internal", {}, { host: "consul.internal" }],
    ["consul://consul.internal:18500", {}, { host: "consul.internal", port: 18_500 }],
    ["consul://[::1]:9500", {}, { host: "::1", port: 9_500 }],
    ["consul://s3cret@h", {}, { host: "h", token: "s3cret" }],
    ["consul://:s3cret@h", {}, { host: "h", token: "s3cret" }],
    ["consul://a%2Fb%40c@h", {}, { host: "h", token: "a/b@c" }],
    ["consul://a@b@h", {}, { host: "h", token: "a@b" }],
    [
      "consul://h?dc=dc2&prefix=/team/mesh/&namespace=shop",
      {},
      { host: "h", dc: "dc2", prefix: "team/mesh", namespace: "shop" },
    ],
    ["consul+https://h", {}, { host: "h", port: 8_501, secure: true }],
    ["consul://h?tls=true", {}, { host: "h", port: 8_501, secure: true }],
    ["consul://h:8500?tls=true", {}, { host: "h", secure: true }],
    ["consul://h", { CONSUL_HTTP_SSL: "true" }, { host: "h", port: 8_501, secure: true }],
    ["consul://h?tls=false", { CONSUL_HTTP_SSL: "1" }, { host: "h" }],
    [
      `consul+https://h?ca=${ca}&cert=${cert}&key=${key}&serverName=server.dc1.consul`,
      {},
      {
        host: "h",
        port: 8_501,
        secure: true,
        tls: { ca: "CA", cert: "CERT", key: "KEY", serverName: "server.dc1.consul" },
      },
    ],
    [
      "consul://h?warning=out&queries=near,far&entries=false",
      {},
      { host: "h", warning: "out", queries: ["near", "far"], entries: false },
    ],
    ["consul://", { CONSUL_HTTP_ADDR: "consul.internal:1234" }, { host: "consul.internal", port: 1_234 }],
    ["consul://", { CONSUL_HTTP_ADDR: "consul.internal" }, { host: "consul.internal" }],
    ["consul://", { CONSUL_HTTP_ADDR: "http://h:80" }, { host: "h", port: 80 }],
    ["consul://", { CONSUL_HTTP_ADDR: "https://h" }, { host: "h", port: 8_501, secure: true }],
    ["consul://", { CONSUL_HTTP_ADDR: "https://h:443/" }, { host: "h", port: 443, secure: true }],
    ["consul://", { CONSUL_HTTP_ADDR: "[::1]:8500" }, { host: "::1" }],
    ["consul://?dc=dc2", { CONSUL_HTTP_ADDR: "h:1" }, { host: "h", port: 1, dc: "dc2" }],
    ["consul://mine:2", { CONSUL_HTTP_ADDR: "https://h:1" }, { host: "mine", port: 2 }],
    ["consul://h", { CONSUL_HTTP_TOKEN: "from-env" }, { host: "h", token: "from-env" }],
    [
      "consul://h",
      { CONSUL_HTTP_TOKEN: "from-env", CONSUL_HTTP_TOKEN_FILE: tokenFile },
      { host: "h", token: "from-file" },
    ],
    [
      "consul://own@h",
      { CONSUL_HTTP_TOKEN: "from-env", CONSUL_HTTP_TOKEN_FILE: tokenFile },
      { host: "h", token: "own" },
    ],
    [
      "consul+https://h",
      { CONSUL_CACERT: ca, CONSUL_CLIENT_CERT: cert, CONSUL_CLIENT_KEY: key, CONSUL_TLS_SERVER_NAME: "n" },
      { host: "h", port: 8_501, secure: true, tls: { ca: "CA", cert: "CERT", key: "KEY", serverName: "n" } },
    ],
    [
      "consul+https://h",
      { CONSUL_CAPATH: folder },
      { host: "h", port: 8_501, secure: true, tls: { ca: "CA\nCERT\nKEY" } },
    ],
    ["consul://h", { CONSUL_CACERT: "/nowhere", CONSUL_HTTP_SSL_VERIFY: "false" }, { host: "h" }],
    ["consul://h", { CONSUL_NAMESPACE: "default", CONSUL_PARTITION: "" }, { host: "h" }],
  ])("reads %s with %j", (url, env, expected) => {
    expect(parseConsulUrl(url, env)).toEqual({ ...DEFAULTS, ...expected });
  });

  it.each<[string, Record<string, string>, RegExp]>([
    ["consul://h:8500/inmesh", {}, /has a path: keys are kept below .*\?prefix=inmesh/],
    ["consul://user:s3cret@h", {}, /a user and a password: expected a token alone/],
    ["consul://s3cret@", {}, /cannot be read: expected consul:\/\//],
    ["consul://s3cret@h:port", {}, /cannot be read/],
    ["consul://h?namspace=shop", {}, /namspace: did you mean namespace\?/],
    ["consul://h?servername=x", {}, /did you mean serverName\?/],
    ["consul://h?token=s3cret", {}, /a token goes before the host/],
    ["consul://h?x=1", {}, /known are dc, prefix/],
    ["consul://h?s3cret-s3cret-s3cret-s3cret-s3cret", {}, /that is not known: known are/],
    ["consul://h?dc=a&dc=b", {}, /parameter dc twice/],
    ["consul://h?prefix=/", {}, /empty prefix/],
    ["consul://h?namespace=Shop", {}, /namespace=Shop/],
    ["consul://h?tls=yes", {}, /tls=yes: expected true or false/],
    ["consul+https://h?tls=false", {}, /leave one out/],
    ["consul://s3cret%zz@h", {}, /begins no escape/],
    ["consul://h#s3cret", {}, /has a "#"/],
    ["consul+https://h?ca=/nowhere/ca.pem", {}, /parameter ca \/nowhere\/ca.pem cannot be read: ENOENT/],
    [`consul+https://h?cert=${cert}`, {}, /needs both its certificate and its key/],
    ["consul+https://h", { CONSUL_HTTP_SSL_VERIFY: "false" }, /CONSUL_HTTP_SSL_VERIFY is false: .*CONSUL_CACERT/],
    ["consul+https://h", { CONSUL_CAPATH: "/nowhere" }, /CONSUL_CAPATH \/nowhere cannot be read/],
    [
      "consul://h",
      { CONSUL_HTTP_TOKEN_FILE: "/nowhere/token" },
      /CONSUL_HTTP_TOKEN_FILE \/nowhere\/token cannot be read/,
    ],
    ["consul://h", { CONSUL_HTTP_SSL: "maybe" }, /CONSUL_HTTP_SSL is "maybe"/],
    ["consul://h", { CONSUL_NAMESPACE: "team" }, /CONSUL_NAMESPACE is set: namespaces of Consul Enterprise/],
    ["consul://h", { CONSUL_PARTITION: "team" }, /CONSUL_PARTITION is set/],
    ["consul://h", { CONSUL_HTTP_AUTH: "user:s3cret" }, /CONSUL_HTTP_AUTH is set/],
    ["consul://", { CONSUL_HTTP_ADDR: "unix:///run/consul.sock" }, /a Unix socket: expected host:port/],
    ["consul://", { CONSUL_HTTP_ADDR: "ftp://h" }, /scheme ftp/],
    ["consul://", { CONSUL_HTTP_ADDR: "http://s3cret@h" }, /is no address/],
  ])("refuses %s with %j, and shows no secret", (url, env, message) => {
    const refused = (): unknown => parseConsulUrl(url, env);
    expect(refused).toThrowError(
      expect.objectContaining({ code: "CONFIG_INVALID", message: expect.stringMatching(message) }),
    );
    expect(refused).toThrowError(/^(?!.*s3cret)/);
  });

  it.each([
    ["consul://s3cret@h:1?dc=dc2&prefix=p&namespace=n", "consul://h:1?dc=dc2&prefix=p&namespace=n"],
    ["consul+https://s3cret@[::1]", "consul+https://[::1]:8501"],
  ])("shows %s without its token", (url, shown) => {
    expect(shownTarget(parseConsulUrl(url, {}))).toBe(shown);
  });

  it.each([
    ["consul://h", true],
    ["CONSUL+HTTPS://h", true],
    ["./consul", false],
    ["xds://h", false],
  ])("tells whether %s is a Consul", (text, expected) => {
    expect(isConsulUrl(text)).toBe(expected);
  });
});
