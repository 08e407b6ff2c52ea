/** Key sets. A set that verifies a token must hold the key that signed it. */

import { generateKeyPairSync, sign } from "node:crypto";
import { seededRandom, systemClock } from "@inmesh/core";
import { createTokenVerifier } from "@inmesh/identity/jwt";
import { RULE } from "./jwt.js";
import { type InputTarget, seeds } from "./target.js";

const pair = generateKeyPairSync("ec", { namedCurve: "P-256" });
const ed = generateKeyPairSync("ed25519");
const rsa = generateKeyPairSync("rsa", { modulusLength: 2048 });
const key = pair.publicKey.export({ format: "jwk" });
const own = { ...key, kid: "e1", use: "sig", alg: "ES256", key_ops: ["verify"] };
const others = [
  { ...ed.publicKey.export({ format: "jwk" }), kid: "d1" },
  { ...rsa.publicKey.export({ format: "jwk" }), kid: "r1", x5c: ["AAAA"] },
];

function token(kid: string): string {
  const encode = (part: object): string => Buffer.from(JSON.stringify(part)).toString("base64url");
  const data = `${encode({ alg: "ES256", ...(kid !== "" && { kid }) })}.${encode({ iss: "iss-a", sub: "u", aud: "a" })}`;
  const proof = sign("sha256", Buffer.from(data), { key: pair.privateKey, dsaEncoding: "ieee-p1363" });
  return `Bearer ${data}.${proof.toString("base64url")}`;
}
const TOKENS = [token("e1"), token("")];

export const JWKS: InputTarget = {
  seeds: seeds(
    JSON.stringify({ keys: [own] }),
    JSON.stringify({ keys: [...others, own] }),
    JSON.stringify({ keys: [key] }),
  ),
  words: [
    ...['{"kty":"oct","k":"AAAA"}', '"kty":"RSA"', '"kty":"EC"', '"kty":"OKP"', '"crv":"P-384"', '"crv":"secp256k1"'],
    ...[
      '"use":"enc"',
      '"key_ops":["sign"]',
      '"alg":"none"',
      '"alg":"HS256"',
      '"kid":"e1"',
      '"kid":5',
      '"d":"AAAA"',
      '"n":""',
    ],
    ...[
      '"e":"AA"',
      '"x":"AAAA"',
      '"keys":[]',
      '"keys":{}',
      '"__proto__":[]',
      "[",
      "]",
      "{",
      "}",
      ",",
      "null",
      "\\u0000",
    ],
  ],
  async judge(input) {
    const text = Buffer.from(input).toString("latin1");
    const rules = [{ ...RULE, jwks: text === "" ? " " : text }];
    const verifier = createTokenVerifier({ clock: systemClock, random: seededRandom(1) });
    verifier.prepare(rules);
    const [reading] = verifier.read();
    const authorization = TOKENS[input.length % TOKENS.length];
    const verdict = await verifier.authenticate(rules, {
      path: "/",
      header: (name) => (name === "authorization" ? authorization : undefined),
    });
    const accepted = verdict.kind === "valid";
    const said = [reading?.keys, reading?.reason, verdict.kind === "invalid" ? verdict.message : verdict.kind];
    verifier.close();
    return {
      accepted,
      said: said.join(),
      ...(accepted && !holds(text) && { fault: "verified by a key that is not there" }),
    };
  },
};

function holds(text: string): boolean {
  const { keys } = JSON.parse(text) as { keys: { x?: unknown; y?: unknown }[] };
  const same = (found: unknown, wanted: string | undefined): boolean =>
    Buffer.from(String(found), "base64url").equals(Buffer.from(wanted ?? "", "base64url"));
  return keys.some((each) => same(each?.x, key.x) && same(each?.y, key.y));
}
