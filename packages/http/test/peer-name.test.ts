import { X509Certificate } from "node:crypto";
import { describe, expect, it } from "vitest";
import { parseAltNames, wrongPeer } from "../src/client/tls/peer-name.js";
import { TestAuthority } from "./certificates.js";

const authority = new TestAuthority();

function judge(inCertificate: readonly string[], names: readonly string[], serverName?: string): string {
  const { raw } = new X509Certificate(authority.issue(inCertificate).cert);
  const tls = { subjectAltNames: names, verifiesServerName: serverName !== undefined };
  return wrongPeer(raw, tls, serverName ?? "ignored.test")?.message ?? "";
}

describe("wrongPeer", () => {
  // Each as Envoy 1.40 judged it, but for those with a remark.
  it.each([
    [["a.test"], "a.test", true],
    [["a.test"], "A.Test", true],
    [["A.test"], "a.test", true],
    [["*.shop.test"], "a.shop.test", true],
    [["*.shop.test"], "a.b.shop.test", false],
    [["*.shop.test"], "shop.test", false],
    [["a*.shop.test"], "ab.shop.test", false],
    [["*.test"], "a.test", false], // for Envoy it is right, for OpenSSL and Node too much at once
    [["a.test"], "*.test", false],
    [["b.a.test"], ".a.test", false], // OpenSSL would take it for every name below
    [["a.test"], "", false],
    [["spiffe://x/y"], "spiffe://x/y", true],
    [["spiffe://x/y"], "spiffe://x/Y", false],
    [["spiffe://x/y"], "spiffe://x", false],
    [["127.0.0.1"], "127.0.0.1", true],
    [["127.0.0.1"], "127.0.0.2", false],
    [["a.test"], "127.0.0.1", false],
    [["a@b.test"], "a@b.test", true],
    [["a@b.test"], "c@b.test", false],
    [["a.test", "b.test"], "b.test", true],
    [[], "nobody", false], // the subject's name
  ])("of a certificate for %j and the name %j: %s", (inCertificate, name, right) => {
    expect([judge(inCertificate, [name]) === "", judge(inCertificate, [], name) === ""]).toEqual([right, right]);
  });

  it("wants one of the names, and the server's name as well where that is asked for", () => {
    expect(judge(["a.test"], ["b.test", "a.test"])).toBe("");
    expect(judge(["a.test"], ["a.test"], "c.test")).toContain('expected "c.test"');
    expect(judge(["a.test"], ["c.test"], "a.test")).toContain('expected "c.test"');
    expect(judge(["a.test", "c.test"], ["c.test"], "a.test")).toBe("");
  });

  it("says whom the certificate is for, and not all of it where that is long", () => {
    const many = Array.from({ length: 12 }, (_, n) => `h${n}.test`);
    expect(judge(["a.test", "spiffe://x/y"], ["b.test", "c.test"])).toBe(
      `the server's certificate is for DNS:a.test, URI:spiffe://x/y, expected "b.test" or "c.test"`,
    );
    expect(judge(many, ["b.test"])).toContain("DNS:h9.test, 2 more, expected");
  });

  it("cannot be led astray by a separator inside a value", () => {
    expect(judge(["spiffe://x/, URI:spiffe://good/id"], ["spiffe://good/id"])).not.toBe("");
    expect(parseAltNames('URI:"spiffe://x/, URI:spiffe://y", DNS:a.test, IP Address:0:0:0:0:0:0:0:1')).toEqual([
      { kind: "URI", value: "spiffe://x/, URI:spiffe://y" },
      { kind: "DNS", value: "a.test" },
      { kind: "IP Address", value: "0:0:0:0:0:0:0:1" },
    ]);
  });
});
