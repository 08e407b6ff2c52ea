import { createPublicKey } from "node:crypto";
import { describe, expect, it } from "vitest";
import { makeIntermediate, makeRoot } from "../ca/make-authority.js";
import { checkSvid, trustOf } from "../index.js";
import { assemble, extension, extensionsOf, type Issuer, issuerOf, keyIdOf, subjectOf } from "./build-certificate.js";
import { certificatePem, parseChain, readCertificate } from "./certificate.js";
import { bitString, type Der, implicit, nullValue, oid, sequence, trueValue } from "./der.js";
import { OID } from "./oids.js";
import { generateKey } from "./signature.js";

const NOW = Date.UTC(2026, 10, 27, 12);
const HOUR = 3_600_000;
const CART = "spiffe://cluster.local/ns/shop/sa/cart";
const root = makeRoot("cluster.local", NOW);
const intermediate = makeIntermediate("cluster.local", root, NOW);
const foreign = makeRoot("other.local", NOW);
const pem = (certificate: typeof root) => [certificatePem(certificate.certificate)];
const trust = trustOf(new Map([["cluster.local", pem(root)], ["other.local", pem(foreign)]]), ["cluster.local", "other.local", "old.local"]); // biome-ignore format: one line

interface Odd {
  readonly uris?: readonly string[];
  readonly extensions?: (usual: Der[]) => Der[];
  readonly notBefore?: number;
  readonly notAfter?: number;
  readonly issuer?: Issuer;
  readonly spki?: Buffer;
}

const key = generateKey();
const spki = createPublicKey(key).export({ type: "spki", format: "der" });
const issuer = issuerOf(intermediate.certificate, intermediate.key);

function leaf(odd: Odd = {}): Buffer {
  const { uris = [CART], extensions = (usual) => usual, notBefore = NOW - HOUR, notAfter = NOW + HOUR } = odd;
  const by = odd.issuer ?? issuer;
  const request = { name: "", publicKey: createPublicKey(key), notBefore, notAfter };
  const names = sequence(...uris.map((uri) => implicit(6, Buffer.from(uri, "latin1"))));
  const usual = extensionsOf(request, keyIdOf(spki), by.keyId);
  const all = extensions(uris.length > 0 ? [...usual, extension(OID.subjectAltName, names, true)] : usual);
  const made = { serial: Buffer.of(7), subject: subjectOf(""), notBefore, notAfter, spki: odd.spki ?? spki };
  return assemble({ ...made, extensions: all }, by);
}

const check = (der: Uint8Array, at = NOW, chain: readonly Uint8Array[] = [intermediate.certificate.der]) =>
  checkSvid([der, ...chain], trust, at);
const refusal = (...args: Parameters<typeof check>) => check(...args).refusal ?? "accepted";
/** The first is the key usage, the second the extended one, the third the basic constraints. */
const replaced = (at: number, ...by: Der[]) => ({ extensions: (usual: Der[]) => usual.toSpliced(at, 1, ...by) });
const usage = (bits: number, critical = true) =>
  replaced(0, extension(OID.keyUsage, bitString(Buffer.of(bits)), critical));

const named = (...names: Der[]) => ({
  extensions: (usual: Der[]) => [...usual, extension(OID.subjectAltName, sequence(...names), true)],
});

describe("checkSvid", () => {
  it("tells whose certificate it is, with or without the root in the chain", () => {
    const peer = { id: CART, principal: "cluster.local/ns/shop/sa/cart", trustDomain: "cluster.local", namespace: "shop", serviceAccount: "cart" }; // biome-ignore format: one line
    expect(check(leaf())).toEqual({ peer });
    expect(check(leaf(), NOW, [intermediate.certificate.der, root.certificate.der])).toEqual({ peer });
    expect(check(leaf({ uris: ["spiffe://other.local/x"], issuer: issuerOf(foreign.certificate, foreign.key) }), NOW, [])).toMatchObject({ peer: { trustDomain: "other.local", namespace: "" } }); // biome-ignore format: one line
    expect(check(leaf({ uris: ["spiffe://old.local/ns/shop/sa/cart"] }))).toMatchObject({ peer: { trustDomain: "old.local" } }); // biome-ignore format: one line
  });

  it.each<[string, Odd, string]>([
    ["no URI", { uris: [] }, "names no URI"],
    ["a name of parts that is written as bytes", { uris: [], ...named(implicit(0, Buffer.from("x")), implicit(6, Buffer.from(CART))) }, "alternative names is not well formed"], // biome-ignore format: one line
    ["two URIs", { uris: [CART, "spiffe://cluster.local/ns/shop/sa/admin"] }, "names 2 URIs"],
    ["the same URI twice", { uris: [CART, CART] }, "names 2 URIs"],
    ["a web address", { uris: ["https://cart.shop"] }, "no SPIFFE id"],
    ["a trust domain only", { uris: ["spiffe://cluster.local"] }, "not a workload"],
    ["dot segments", { uris: ["spiffe://cluster.local/ns/shop/../sa/admin"] }, "no SPIFFE id"],
    ["a URI that is no text", { uris: ["spiffe://cluster.local/ns/\u00e9"] }, "not ASCII"],
    ["a URI with a line end", { uris: [`${CART}\n`] }, "not ASCII"],
    ["an unknown domain", { uris: ["spiffe://evil.local/ns/shop/sa/cart"] }, "not known here"],
    ["an authority", replaced(2, extension(OID.basicConstraints, sequence(trueValue()), true)), "of an authority"],
    ["keyCertSign", usage(0b1000_0100), "keyCertSign"],
    ["a use of the key among the bits that do not count", replaced(0, extension(OID.keyUsage, bitString(Buffer.of(0b1000_0100), 3), true)), "bits set beyond its end"], // biome-ignore format: one line
    ["cRLSign", usage(0b1000_0010), "cRLSign"],
    ["no signature allowed", usage(0b0010_0000), "may not sign"],
    ["key usage that may be passed over", usage(0b1000_0000, false), "not critical"],
    ["no key usage", replaced(0), "no key usage"],
    ["use for clients only", replaced(1, extension(OID.extendedKeyUsage, sequence(oid(OID.clientAuth)))), "servers and clients"], // biome-ignore format: one line
    ["an extension nobody knows", { extensions: (usual) => [...usual, extension("1.2.3.4", nullValue(), true)] }, "1.2.3.4"], // biome-ignore format: one line
    ["an extension twice", { extensions: (usual) => [...usual, usual[0] as Der] }, "stands twice"],
    ["it expired", { notAfter: NOW - 1_000 }, "expired at 2026-11-27T11:59:59Z"],
    ["it begins later", { notBefore: NOW + 1_000 }, "not valid before"],
    ["a federated root names a workload of ours", { issuer: issuerOf(foreign.certificate, foreign.key) }, "does not lead to a root of trust domain cluster.local"], // biome-ignore format: one line
    ["our root names one of the federated domain", { uris: ["spiffe://other.local/x"] }, "does not lead to a root"],
    ["another key's signature", { issuer: { ...issuer, key: generateKey() } }, "does not lead to a root"],
  ])("refuses %s", (_, odd, reason) => {
    expect(refusal(leaf(odd), NOW, [intermediate.certificate.der, foreign.certificate.der])).toContain(reason);
  });

  it("takes a certificate without extended key usage or basic constraints, as others make them", () => {
    expect(check(leaf(replaced(1)))).toMatchObject({ peer: { id: CART } });
    expect(check(leaf(replaced(2)))).toMatchObject({ peer: { id: CART } });
  });

  it("refuses a chain whose issuers may not issue", () => {
    const expired = makeIntermediate("cluster.local", root, NOW - 10 * HOUR, HOUR);
    const by = (made: typeof root) => leaf({ issuer: issuerOf(made.certificate, made.key) });
    expect(refusal(by(expired), NOW, [expired.certificate.der])).toContain("intermediate of its chain expired");
    expect(refusal(by(root), NOW + 5_000 * 24 * HOUR, [])).toContain("expired");
    // A leaf as an issuer, and one intermediate more than the first allows.
    const signing = { certificate: parseChain(certificatePem({ der: leaf() }))[0]!, key };
    expect(refusal(by(signing), NOW, [signing.certificate.der, intermediate.certificate.der])).toContain(
      "does not lead",
    );
    const second = makeIntermediate("cluster.local", intermediate, NOW);
    expect(refusal(by(second), NOW, [second.certificate.der, intermediate.certificate.der])).toContain("allows 0");
    expect(refusal(leaf(), NOW, [])).toContain("does not lead to a root");
    expect(
      refusal(
        leaf(),
        NOW,
        Array.from({ length: 30 }, () => root.certificate.der),
      ),
    ).toContain("31 certificates");
  });

  it("walks a bounded number of ways where authorities sign each other", () => {
    const keyOfAll = generateKey();
    const self = { key: keyOfAll, name: subjectOf("circle"), keyId: Buffer.alloc(20), algorithm: issuer.algorithm };
    const request = {
      name: "circle",
      publicKey: createPublicKey(keyOfAll),
      notBefore: NOW - HOUR,
      notAfter: NOW + HOUR,
    };
    const circle = Array.from({ length: 9 }, (_, at) => {
      const constraints = extension(OID.basicConstraints, sequence(trueValue()), true);
      const fields = { serial: Buffer.of(at + 1), subject: subjectOf("circle"), extensions: [constraints] };
      const own = createPublicKey(keyOfAll).export({ type: "spki", format: "der" });
      return assemble({ ...request, ...fields, spki: own }, self);
    });
    const startedAt = performance.now();
    expect(refusal(leaf({ issuer: self }), NOW, circle)).toMatch(/too many ways|does not lead/);
    expect(performance.now() - startedAt).toBeLessThan(2_000);
  });

  // 2.5.29.31: where lists of what was revoked are, which nobody here reads.
  it.each([
    ["is well formed", sequence(), ""],
    ["makes no sense", bitString(Buffer.of(6)), "OpenSSL takes it for no authority"],
  ])("judges an authority with OpenSSL, where an extension that is passed over %s", (_, value, reason) => {
    const authority = {
      ...{ serial: Buffer.of(9), subject: subjectOf("odd"), notBefore: NOW - HOUR, notAfter: NOW + HOUR, spki },
      extensions: [extension(OID.basicConstraints, sequence(trueValue()), true), extension("2.5.29.31", value)],
    };
    const der = assemble(authority, issuer);
    if (reason === "") expect(readCertificate(der).authority?.is).toBe(true);
    else expect(() => readCertificate(der)).toThrow(reason);
  });

  it("refuses a key whose point is written in a form that RFC 5480 forbids, though OpenSSL reads it", () => {
    const hybrid = Buffer.from(spki);
    const at = hybrid.length - 65; // the point is the last
    expect(hybrid[at]).toBe(4);
    hybrid[at] = 6 + (hybrid.at(-1)! & 1);
    expect(refusal(leaf({ spki: hybrid }))).toContain("hybrid form");
  });

  it("refuses what stands before, behind or instead of a certificate", () => {
    const der = leaf();
    const long = Buffer.concat([der.subarray(0, 1), Buffer.of(0x83, 0), der.subarray(2)]);
    for (const bytes of [Buffer.alloc(0), der.subarray(0, -1), Buffer.concat([der, Buffer.of(0)]), long, Buffer.from(certificatePem({ der }))]) // biome-ignore format: one line
      expect(refusal(bytes)).toMatch(/not DER|bytes/);
    expect(checkSvid([], trust, NOW).refusal).toContain("no certificate");
  });
});

describe("what was accepted once", () => {
  it("is not taken for accepted before or after its time, nor by other roots", () => {
    const der = leaf({ notAfter: NOW + HOUR });
    const own = trustOf(new Map([["cluster.local", pem(root)]]));
    const at = (wallTime: number, roots = own) => checkSvid([der, intermediate.certificate.der], roots, wallTime);
    expect([at(NOW).peer?.id, at(NOW).peer?.id, own.accepted.size]).toEqual([CART, CART, 1]);
    expect(at(NOW + HOUR + 1).refusal).toContain("expired");
    expect(at(NOW - HOUR - 1).refusal).toContain("not valid before");
    expect(at(NOW, trustOf(new Map([["cluster.local", pem(foreign)]]))).refusal).toContain("does not lead");
    expect(at(NOW).peer?.id).toBe(CART);
  });

  it("is bounded in number", () => {
    const own = trustOf(new Map([["cluster.local", pem(root)]]));
    const peer = check(leaf()).peer!;
    for (let each = 0; each < 1_000; each++) own.accepted.set(`${each}`, { peer, notBefore: 0, notAfter: 0 });
    for (let each = 0; each < 3; each++) checkSvid([leaf(), intermediate.certificate.der], own, NOW);
    expect(own.accepted.size).toBe(1_000);
  });
});
