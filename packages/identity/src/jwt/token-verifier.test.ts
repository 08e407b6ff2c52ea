import type { TokenVerdict } from "@inmesh/core";
import { FakeClock, seededRandom } from "@inmesh/core/testing";
import type { JwtRule } from "@inmesh/model";
import { describe, expect, it } from "vitest";
import { createTokenVerifier } from "./token-verifier.js";
import {
  bearer,
  CLAIMS,
  confused,
  ED25519,
  encode,
  jwk,
  jwks,
  NOW,
  OTHER_RSA,
  P256,
  P384,
  P521,
  RSA,
  request,
  rule,
  token,
} from "./tokens.test.helper.js";

function verifier() {
  const clock = new FakeClock();
  return { clock, tokens: createTokenVerifier({ clock, random: seededRandom(1) }) };
}

async function verdictOn(
  asked: ReturnType<typeof request>,
  rules: readonly JwtRule[] = [rule()],
): Promise<TokenVerdict> {
  return verifier().tokens.authenticate(rules, asked);
}

const INVALID = (message: string, status = 401) => ({ kind: "invalid", status, message });
const FORM = "Jwt is not in the form of Header.Payload.Signature with two dots and 3 sections";
const BAD_SIGNATURE = "Jwt verification fails";

// Each message as Envoy 1.40 under istiod 1.26 answered the same token.
describe("a token that is no good", () => {
  const cases: [what: string, text: string, message: string, status?: number][] = [
    ["no token at all", "abc", FORM],
    ["four parts", `${token()}.x`, FORM],
    ["no signature", token(CLAIMS, { signature: "" }), FORM],
    ["alg none, unsigned", `${encode({ alg: "none" })}.${encode(CLAIMS)}.`, FORM],
    ["alg none, signed", token(CLAIMS, { header: { alg: "none" } }), "Jwt header [alg] is not supported"],
    ["alg None in other letters", token(CLAIMS, { header: { alg: "nOnE" } }), "Jwt header [alg] is not supported"],
    ["HS256 with the public key as the secret", confused(), "Jwt header [alg] is not supported"],
    ["alg Ed25519", token(CLAIMS, { header: { alg: "Ed25519" } }), "Jwt header [alg] is not supported"],
    ["alg that is no text", token(CLAIMS, { header: { alg: 5 } }), "Jwt header [alg] field is missing or not a string"],
    ["a header that is no base64url", "a.b.c", "Jwt header is an invalid Base64url encoded"],
    ["a header that is no JSON", `${encode("{")}.${encode(CLAIMS)}.xx`, "Jwt header is an invalid JSON"],
    ["a payload that is no JSON", `${encode({ alg: "RS256" })}.${encode("{")}.xx`, "Jwt payload is an invalid JSON"],
    ["a payload that is a list", token("[]"), "Jwt payload is an invalid JSON"],
    ["a claim said twice", token('{"iss":"iss-b","iss":"iss-a"}'), "Jwt payload is an invalid JSON"],
    [
      "a claim said twice, once escaped",
      token('{"iss":"iss-b","i\\u0073s":"iss-a"}'),
      "Jwt payload is an invalid JSON",
    ],
    ["a claim said twice, deep inside", token('{"iss":"iss-a","a":[{"b":1,"b":2}]}'), "Jwt payload is an invalid JSON"],
    [
      "a payload of broken UTF-8",
      `${encode({ alg: "RS256" })}.${Buffer.from([0x7b, 0xff, 0x7d]).toString("base64url")}.xx`,
      "Jwt payload is an invalid Base64url encoded",
    ],
    ["a padded signature", `${token()}=`, "Jwt signature is an invalid Base64url encoded"],
    ["junk behind", `${token()},abc`, "Jwt signature is an invalid Base64url encoded"],
    ["another signature", `${token().slice(0, -6)}AAAAAA`, BAD_SIGNATURE],
    ["signed by another key", token(CLAIMS, { key: OTHER_RSA }), BAD_SIGNATURE],
    ["the kid of another key", token(CLAIMS, { kid: "e1" }), BAD_SIGNATURE],
    ["an unknown kid", token(CLAIMS, { kid: "../../dev/null" }), "Jwks doesn't have key to match kid or alg from Jwt"],
    ["a kid that is no text", token(CLAIMS, { header: { kid: 5 } }), "Jwt header [kid] field is not a string"],
    ["its own key in the header", token(CLAIMS, { key: OTHER_RSA, header: { jwk: jwk(OTHER_RSA) } }), BAD_SIGNATURE],
    [
      "an address of its own keys",
      token(CLAIMS, { key: OTHER_RSA, header: { jku: "http://127.0.0.1/", x5u: "http://127.0.0.1/" } }),
      BAD_SIGNATURE,
    ],
    ["crit", token(CLAIMS, { header: { crit: ["x"], x: 1 } }), BAD_SIGNATURE],
    ["crit b64", token(CLAIMS, { header: { crit: ["b64"], b64: false } }), BAD_SIGNATURE],
    ["an unknown issuer", token({ ...CLAIMS, iss: "iss-x" }), "Jwt issuer is not configured"],
    ["no issuer", token({ sub: "u" }), "Jwt issuer is not configured"],
    ["an issuer that is no text", token({ ...CLAIMS, iss: 5 }), "Jwt payload [iss] field is not a string"],
    ["a subject that is no text", token({ ...CLAIMS, sub: 5 }), "Jwt payload [sub] field is not a string"],
    [
      "an audience that is no text",
      token({ ...CLAIMS, aud: 5 }),
      "Jwt payload [aud] field is not a string or string list",
    ],
    ["exp as text", token({ ...CLAIMS, exp: String(NOW + 60) }), "Jwt payload [exp] field is not an integer"],
    ["exp null", token({ ...CLAIMS, exp: null }), "Jwt payload [exp] field is not an integer"],
    ["exp below zero", token({ ...CLAIMS, exp: -1 }), "Jwt payload [exp] field is not a positive 64 bit integer"],
    [
      "exp beyond all bounds",
      token('{"iss":"iss-a","exp":1e400}'),
      "Jwt payload [exp] field is not a positive 64 bit integer",
    ],
    ["exp zero", token({ ...CLAIMS, exp: 0 }), "Jwt is expired"],
    ["expired for longer than clocks differ", token({ ...CLAIMS, exp: NOW - 61 }), "Jwt is expired"],
    ["not yet valid", token({ ...CLAIMS, nbf: NOW + 61 }), "Jwt not yet valid"],
    ["nbf as text", token({ ...CLAIMS, nbf: "x" }), "Jwt payload [nbf] field is not an integer"],
  ];
  it.each(cases)("%s", async (_, text, message, status) => {
    const verdict = await verdictOn(bearer(text));
    expect(verdict).toMatchObject(INVALID(message, status));
    for (const part of text.split(".")) if (part.length > 3) expect(JSON.stringify(verdict)).not.toContain(part);
  });
});

describe("a token that is good", () => {
  const cases: [what: string, text: string][] = [
    ["RS256", token()],
    ["RS384", token(CLAIMS, { alg: "RS384" })],
    ["RS512", token(CLAIMS, { alg: "RS512" })],
    ["PS256", token(CLAIMS, { alg: "PS256" })],
    ["PS384", token(CLAIMS, { alg: "PS384" })],
    ["PS512", token(CLAIMS, { alg: "PS512" })],
    ["ES256", token(CLAIMS, { alg: "ES256", kid: "e1", key: P256 })],
    ["ES384", token(CLAIMS, { alg: "ES384", kid: "e384", key: P384 })],
    ["ES512", token(CLAIMS, { alg: "ES512", kid: "e521", key: P521 })],
    ["EdDSA", token(CLAIMS, { alg: "EdDSA", kid: "d1", key: ED25519 })],
    ["without a kid", token(CLAIMS, { kid: null })],
    ["without an end", token({ ...CLAIMS, exp: undefined })],
    ["expired no longer than clocks differ", token({ ...CLAIMS, exp: NOW - 59 })],
    ["valid as soon as clocks may differ", token({ ...CLAIMS, nbf: NOW + 59 })],
    ["issued in the future", token({ ...CLAIMS, iat: NOW + 3_600 })],
    ["an end with a fraction", token({ ...CLAIMS, exp: NOW + 0.5 })],
  ];
  it.each(cases)("%s", async (_, text) => {
    const verdict = await verdictOn(bearer(text));
    expect(verdict).toMatchObject({ kind: "valid", claims: { iss: "iss-a", sub: "u" } });
    expect(verdict).toMatchObject({ remove: [{ kind: "header", name: "Authorization" }], headers: [] });
  });
});

describe("keys", () => {
  it.each([
    ["for encryption", jwk(RSA, "r1", { use: "enc" })],
    ["that sign only", jwk(RSA, "r1", { key_ops: ["sign"] })],
    ["that are secrets", { kty: "oct", k: "c2VjcmV0", kid: "r1" }],
    ["of no kind", { kid: "r1" }],
    ["that are incomplete", { ...jwk(RSA, "r1"), n: undefined }],
  ])("%s are none", async (_, key) => {
    const verdict = await verdictOn(bearer(token()), [rule({ jwks: jwks(key) })]);
    expect(verdict).toMatchObject({ kind: "invalid", reason: expect.stringContaining("holds no public key") });
  });

  it("for one algorithm verify no other", async () => {
    const rules = [rule({ jwks: jwks(jwk(RSA, "r1", { alg: "RS256" })) })];
    expect(await verdictOn(bearer(token()), rules)).toMatchObject({ kind: "valid" });
    expect(await verdictOn(bearer(token(CLAIMS, { alg: "RS512" })), rules)).toMatchObject(INVALID(BAD_SIGNATURE));
  });

  it("that are broken spoil none of the others", async () => {
    const rules = [rule({ jwks: jwks({ ...jwk(RSA), n: "AAAA" }, { ...jwk(P256), x: "zz" }, jwk(RSA)) })];
    expect(await verdictOn(bearer(token()), rules)).toMatchObject({ kind: "valid" });
  });

  it("of fewer than 2048 bits sign nothing", async () => {
    const { generateKeyPairSync } = await import("node:crypto");
    const weak = generateKeyPairSync("rsa", { modulusLength: 1024 });
    const verdict = await verdictOn(bearer(token(CLAIMS, { key: weak })), [rule({ jwks: jwks(jwk(weak, "r1")) })]);
    expect(verdict).toMatchObject(INVALID(BAD_SIGNATURE));
  });
});

describe("audiences", () => {
  const rules = [rule({ audiences: ["a1", "https://shop.example"] })];
  it.each([
    ["a1", "valid"],
    [["zz", "a1"], "valid"],
    ["https://a1/", "valid"],
    ["http://shop.example/", "valid"],
    ["a2", "invalid"],
    ["A1", "invalid"],
    [[], "invalid"],
    [undefined, "invalid"],
  ])("%j: %s", async (aud, kind) => {
    const verdict = await verdictOn(bearer(token({ ...CLAIMS, aud })), rules);
    expect(verdict.kind).toBe(kind);
    if (kind === "invalid") expect(verdict).toMatchObject(INVALID("Audiences in Jwt are not allowed", 403));
  });
});

describe("places", () => {
  const good = token();
  const own = [
    rule({ places: { headers: [{ name: "X-Jwt", prefix: "tok:" }], params: ["t"], cookies: ["c"] }, claimHeaders: [] }),
  ];
  const raw = [rule({ places: { headers: [{ name: "x-jwt", prefix: "" }], params: [], cookies: [] } })];
  it.each([
    ["nowhere", request(), undefined, "none"],
    ["a scheme of another name", request({ authorization: "Basic abc" }), undefined, "none"],
    ["a scheme in other letters", request({ authorization: `bearer ${good}` }), undefined, "none"],
    ["a scheme alone", request({ authorization: "Bearer" }), undefined, "none"],
    ["blanks around", request({ authorization: `Bearer  ${good} ` }), undefined, "valid"],
    ["the second of two lines", request({ authorization: ["Basic abc", `Bearer ${good}`] }), undefined, "valid"],
    ["two tokens in two lines", request({ authorization: [`Bearer ${good}`, `Bearer ${good}`] }), undefined, "invalid"],
    ["the default parameter", request({}, `/p?x=1&access_token=${good}`), undefined, "valid"],
    ["its name escaped", request({}, `/p?access%5Ftoken=${good}`), undefined, "valid"],
    ["a broken escape", request({}, `/p?%zz=1&access_token=${good}`), undefined, "valid"],
    ["an empty parameter", request({}, "/p?access_token="), undefined, "invalid"],
    ["a good and a bad parameter", request({}, `/p?access_token=${good}&access_token=abc`), undefined, "invalid"],
    ["a good header and a bad parameter", bearer(good, "/p?access_token=abc"), undefined, "invalid"],
    ["the same in header and parameter", bearer(good, `/p?access_token=${good}`), undefined, "valid"],
    ["an own header", request({ "x-jwt": `tok:${good}` }), own, "valid"],
    ["an own header without its prefix", request({ "x-jwt": good }), own, "none"],
    ["the default where others are named", bearer("abc", "/p?access_token=abc"), own, "none"],
    ["an own parameter", request({}, `/p?t=${good}`), own, "valid"],
    ["an own cookie", request({ cookie: `a=1; c=${good}; b=2` }), own, "valid"],
    ["a quoted cookie", request({ cookie: `c="${good}"` }), own, "valid"],
    ["a bad cookie", request({ cookie: "c=abc" }), own, "invalid"],
    ["an empty cookie", request({ cookie: "c=" }), own, "invalid"],
    ["two cookies of the name", request({ cookie: `c=${good}; c=abc` }), own, "invalid"],
    ["a header without prefix", request({ "x-jwt": good }), raw, "valid"],
    ["an empty header without prefix", request({ "x-jwt": "" }), raw, "none"],
  ])("%s", async (_, asked, rules, kind) => {
    expect((await verdictOn(asked, rules ?? [rule()])).kind).toBe(kind);
  });

  it("are all told that the token is taken from", async () => {
    const verdict = await verdictOn(request({ "x-jwt": `tok:${good}`, cookie: `c=${good}` }, `/?t=${good}`), own);
    expect(verdict).toMatchObject({
      remove: [
        { kind: "header", name: "X-Jwt" },
        { kind: "param", name: "t" },
        { kind: "cookie", name: "c" },
      ],
    });
  });

  it("keep a token that is forwarded", async () => {
    expect(await verdictOn(bearer(good), [rule({ forwardsToken: true })])).toMatchObject({ kind: "valid", remove: [] });
  });
});

describe("several rules", () => {
  const a = rule({ issuer: "iss-a" });
  const b = rule({ issuer: "iss-b", jwks: jwks(jwk(OTHER_RSA, "b1")) });
  const apart = rule({
    issuer: "iss-c",
    places: { headers: [{ name: "x-jwt", prefix: "" }], params: [], cookies: [] },
  });
  const ofB = token({ ...CLAIMS, iss: "iss-b" }, { kid: "b1", key: OTHER_RSA });
  const ofC = token({ ...CLAIMS, iss: "iss-c", sub: "c" });
  const rules = [a, b, apart];

  it("each take the tokens of their issuer", async () => {
    expect(await verdictOn(bearer(token()), rules)).toMatchObject({ kind: "valid", rule: a });
    expect(await verdictOn(bearer(ofB), rules)).toMatchObject({ kind: "valid", rule: b });
  });

  it("never lend each other their keys", async () => {
    const forged = token({ ...CLAIMS, iss: "iss-a" }, { kid: "b1", key: OTHER_RSA });
    expect(await verdictOn(bearer(forged), rules)).toMatchObject({ kind: "invalid" });
  });

  it("pass a request that is good for one, whatever stands at the place of another", async () => {
    const both = request({ authorization: `Bearer ${token()}`, "x-jwt": "abc" });
    expect(await verdictOn(both, rules)).toMatchObject({ kind: "valid", rule: a });
  });

  it("pass a request whose tokens are each good for one", async () => {
    const both = bearer(token(), `/p?access_token=${ofB}`);
    expect(await verdictOn(both, rules)).toMatchObject({
      kind: "valid",
      rule: a,
      remove: [{ kind: "header" }, { kind: "param" }],
    });
    expect(await verdictOn(both, [a])).toMatchObject(INVALID("Jwt issuer is not configured"));
  });

  it("refuse a token at the place of another issuer", async () => {
    expect(await verdictOn(request({ "x-jwt": token() }), rules)).toMatchObject(
      INVALID("Jwt issuer is not configured"),
    );
    expect(await verdictOn(bearer(ofC), rules)).toMatchObject(INVALID("Jwt issuer is not configured"));
  });

  it("say what is wrong with a token of a known issuer", async () => {
    const expired = token({ ...CLAIMS, exp: 1 });
    expect(await verdictOn(bearer(expired), rules)).toMatchObject(INVALID("Jwt is expired"));
    expect(await verdictOn(bearer(expired), [b, a])).toMatchObject(INVALID("Jwt is expired"));
  });

  it("of any issuer take every issuer", async () => {
    expect(await verdictOn(bearer(token({ ...CLAIMS, iss: "anybody" })), [rule({ issuer: "" })])).toMatchObject({
      kind: "valid",
    });
  });
});

describe("a required rule", () => {
  const a = rule({ required: true });
  const x = rule({ issuer: "iss-x", places: { headers: [{ name: "x-jwt", prefix: "" }], params: [], cookies: [] } });
  const ofX = token({ ...CLAIMS, iss: "iss-x" });

  it("takes no request without its token", async () => {
    expect(await verdictOn(request(), [a])).toMatchObject(INVALID("Jwt is missing"));
    expect(await verdictOn(request({ "x-jwt": ofX }), [a, x])).toMatchObject(INVALID("Jwt is missing"));
    expect(await verdictOn(bearer(token({ ...CLAIMS, exp: 1 })), [a, x])).toMatchObject(INVALID("Jwt is expired"));
    expect(await verdictOn(bearer(token()), [x, a])).toMatchObject({ kind: "valid", rule: a });
  });

  it("beside another asks for both", async () => {
    const both = request({ authorization: `Bearer ${token()}`, "x-jwt": ofX });
    const y = { ...x, required: true };
    expect(await verdictOn(both, [a, y])).toMatchObject({ kind: "valid", rule: a });
    expect(await verdictOn(bearer(token()), [a, y])).toMatchObject(INVALID("Jwt is missing"));
  });
});

describe("what the application is told", () => {
  it("is the payload and claims, nested ones by dots", async () => {
    const claims = {
      ...CLAIMS,
      n: { s: "v", i: 5, b: true, l: ["a", "b"], o: { k: 1 }, f: 1.5, neg: -3, e: "" },
      "x.y": "no",
      u: "ü",
    };
    const names = ["s", "i", "b", "l", "o", "f", "neg", "e", "none", "constructor"];
    const claimHeaders = [...names.map((name) => ({ header: `X-N-${name}`, claim: `n.${name}` }))];
    claimHeaders.push({ header: "x-dotted", claim: "x.y" }, { header: "x-u", claim: "u" });
    const text = token(claims);
    const verdict = await verdictOn(bearer(text), [rule({ payloadHeader: "X-Payload", claimHeaders })]);
    expect(verdict).toMatchObject({
      headers: [
        ...["x-payload", text.split(".")[1], "x-n-s", "v", "x-n-i", "5", "x-n-b", "true", "x-n-l", "WyJhIiwiYiJd"],
        ...["x-n-o", "eyJrIjoxfQ==", "x-n-f", "1.5", "x-n-neg", "-3", "x-u", Buffer.from("ü").toString("latin1")],
      ],
    });
  });

  it("holds nothing that no header may hold: such a token is refused", async () => {
    const rules = [rule({ claimHeaders: [{ header: "x-name", claim: "name" }] })];
    const verdict = await verdictOn(bearer(token({ ...CLAIMS, name: "a\r\nx-evil: 1" })), rules);
    expect(verdict).toMatchObject({
      kind: "invalid",
      reason: "the claim name holds characters that no header may hold",
    });
  });

  it("claims written with spaces are lists for matching", async () => {
    const claims = { ...CLAIMS, scope: "read  write", permission: "p", roles: "a b", other: "a b" };
    const verdict = await verdictOn(bearer(token(claims)), [rule({ spaceDelimited: ["roles"] })]);
    expect(verdict).toMatchObject({
      claims: { scope: ["read", "write"], permission: ["p"], roles: ["a", "b"], other: "a b" },
    });
  });
});

describe("a token that comes again", () => {
  it("is answered for at once, until its end", async () => {
    const { clock, tokens } = verifier();
    const rules = [rule()];
    const text = token({ ...CLAIMS, exp: NOW + 10 });
    expect(await tokens.authenticate(rules, bearer(text))).toMatchObject({ kind: "valid" });
    expect(tokens.authenticate(rules, bearer(text))).toMatchObject({ kind: "valid" });
    clock.advance(69_000);
    expect(tokens.authenticate(rules, bearer(text))).toMatchObject({ kind: "valid" });
    clock.advance(2_000);
    expect(tokens.authenticate(rules, bearer(text))).toMatchObject(INVALID("Jwt is expired"));
  });

  it("is looked at anew once the rules change", async () => {
    const { tokens } = verifier();
    await tokens.authenticate([rule()], bearer(token()));
    const verdict = await tokens.authenticate([rule({ jwks: jwks(jwk(OTHER_RSA, "r1")) })], bearer(token()));
    expect(verdict).toMatchObject(INVALID(BAD_SIGNATURE));
  });

  it("at the place of another rule is nothing that was verified", async () => {
    const { tokens } = verifier();
    const places = { headers: [{ name: "x-jwt", prefix: "" }], params: [], cookies: [] };
    const rules = [rule({ issuer: "iss-c", places }), rule({ audiences: ["other"] })];
    const ofC = token({ ...CLAIMS, iss: "iss-c" });
    expect(await tokens.authenticate(rules, request({ "x-jwt": ofC }))).toMatchObject({ kind: "valid" });
    expect(await tokens.authenticate(rules, bearer(ofC))).toMatchObject({ kind: "invalid" });
    expect(await tokens.authenticate(rules, request({ "x-jwt": ofC }))).toMatchObject({ kind: "valid" });
    expect(await tokens.authenticate([rule(), rule({ forwardsToken: true })], bearer(token()))).toMatchObject({
      remove: [{}],
    });
  });

  it("at another of its places is taken from there", async () => {
    const { tokens } = verifier();
    const rules = [rule()];
    for (const place of ["header", "param", "header"] as const) {
      const asked = place === "header" ? bearer(token()) : request({}, `/?access_token=${token()}`);
      expect(await tokens.authenticate(rules, asked)).toMatchObject({ kind: "valid", remove: [{ kind: place }] });
    }
  });

  it("with another signature is another token", async () => {
    const { tokens } = verifier();
    const rules = [rule()];
    await tokens.authenticate(rules, bearer(token()));
    expect(await tokens.authenticate(rules, bearer(`${token().slice(0, -6)}AAAAAA`))).toMatchObject({
      kind: "invalid",
    });
  });

  it("is not kept without bound", async () => {
    const { tokens } = verifier();
    const rules = [rule()];
    const texts = Array.from({ length: 4_200 }, (_, n) =>
      token({ ...CLAIMS, n }, { alg: "ES256", kid: "e1", key: P256 }),
    );
    for (const text of texts) await tokens.authenticate(rules, bearer(text));
    expect(tokens.authenticate(rules, bearer(texts.at(-1)!))).not.toBeInstanceOf(Promise);
    expect(tokens.authenticate(rules, bearer(texts[0]!))).toBeInstanceOf(Promise);
  }, 30_000);
});

it("reads the keys in force, and says what is wrong with those it has not", () => {
  const { tokens } = verifier();
  tokens.prepare([rule(), rule({ issuer: "iss-b", jwks: "{" })]);
  expect(tokens.read()).toEqual([
    { issuer: "iss-a", source: "inline", keys: 5, ageMs: null },
    { issuer: "iss-b", source: "inline", keys: 0, ageMs: null, reason: expect.stringContaining("no JSON Web Key Set") },
  ]);
});
