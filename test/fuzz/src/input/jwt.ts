/** Tokens. Some come as they are, others are signed by the issuer first, so that what is said after the signature is reached. */

import { generateKeyPairSync, sign, verify } from "node:crypto";
import type { TokenVerdict } from "@inmesh/core";
import { seededRandom, systemClock } from "@inmesh/core";
import { createTokenVerifier } from "@inmesh/identity/jwt";
import type { JwtRule } from "@inmesh/model";
import { type InputTarget, seeds, type Verdict } from "./target.js";

/** First byte of an input: `s`, then header, line feed and payload, to be signed; anything else: a token. */
const TO_SIGN = 0x73;
const CLAIMS = '{"iss":"iss-a","sub":"u","aud":["a","b"],"exp":9999999999,"n":{"s":"v","l":[1,true,null]}}';

const { publicKey, privateKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
const jwks = JSON.stringify({ keys: [{ ...publicKey.export({ format: "jwk" }), kid: "e1" }] });

export const RULE: JwtRule = {
  ...{ issuer: "iss-a", audiences: ["a"], jwks, jwksUri: "", required: false, forwardsToken: false, timeoutMs: 5_000 },
  places: { headers: [{ name: "authorization", prefix: "Bearer " }], params: ["access_token"], cookies: ["c"] },
  ...{ payloadHeader: "x-payload", claimHeaders: [{ header: "x-n", claim: "n.s" }], spaceDelimited: [] },
  resource: {
    resource: { kind: "RequestAuthentication", namespace: "a", name: "a" },
    path: "",
  } as unknown as JwtRule["resource"],
};
const RULES = [RULE];
const verifier = createTokenVerifier({ clock: systemClock, random: seededRandom(1) });

export const JWT: InputTarget = {
  seeds: [
    ...seeds(`s{"alg":"ES256","kid":"e1","typ":"JWT"}\n${CLAIMS}`, `s{"alg":"ES256"}\n${CLAIMS}`),
    Buffer.from(signed(`{"alg":"ES256","kid":"e1"}\n${CLAIMS}`)),
  ],
  words: [
    ...[
      '"alg":"none"',
      '"alg":"HS256"',
      '"alg":"ES384"',
      '"alg":"EdDSA"',
      '"kid":null',
      '"kid":"../x"',
      '"crit":["b64"]',
    ],
    ...['"b64":false', '"jwk":{}', '"jku":"http://127.0.0.1"', '"iss":"iss-b"', '"iss":"iss-a"', '"exp":0', '"exp":-1'],
    ...[
      '"exp":1e999',
      '"nbf":9999999999',
      '"aud":"a"',
      '"aud":{}',
      '"__proto__":{"iss":"iss-a"}',
      "\\u0069ss",
      "[[[[[[[[",
    ],
    ...[
      '{"',
      '"}',
      ",",
      ".",
      "..",
      "=",
      "\n",
      "\r\n",
      "\u0000",
      "eyJhbGciOiJub25lIn0",
      '"s":"\\r\\nx: y"',
      "Bearer ",
      " ",
    ],
  ],
  async judge(input) {
    const text = tokenOf(input);
    const request = (name: string, value: string) => ({
      path: "/",
      header: (asked: string) => (asked === name ? value : undefined),
    });
    const verdict = await verifier.authenticate(RULES, request("authorization", `Bearer ${text}`));
    // Whatever stands around a token, looking for it must not fail.
    const elsewhere = await verifier.authenticate(RULES, { ...request("cookie", text), path: `/?${text}` });
    return { ...judged(text, verdict), ...(elsewhere.kind === "valid" && { fault: "found where there is none" }) };
  },
};

/** What a request would bring. */
export function tokenOf(input: Uint8Array): string {
  const text = Buffer.from(input).toString("latin1");
  return input[0] === TO_SIGN ? signed(text.slice(1)) : text;
}

function judged(text: string, verdict: TokenVerdict): Verdict {
  if (verdict.kind === "none") return { accepted: false, said: "none" };
  if (verdict.kind === "invalid") {
    const { message, reason } = verdict;
    const leaks = text.split(".").some((part) => part.length > 12 && `${message}${reason}`.includes(part));
    return { accepted: false, said: reason, ...(leaks && { fault: "the refusal holds a part of the token" }) };
  }
  const said = `${Object.keys(verdict.claims).sort().join().slice(0, 200)} ${verdict.headers.length}`;
  return { accepted: true, said, ...(!deserves(text.trim()) && { fault: "accepted" }) };
}

/** By another reading of the rules, and Node's own verification. */
function deserves(text: string): boolean {
  const [head = "", payload = "", signature = "", rest] = text.split(".");
  if (rest !== undefined) return false;
  const header = JSON.parse(Buffer.from(head, "base64url").toString());
  const claims = JSON.parse(Buffer.from(payload, "base64url").toString());
  const data = Buffer.from(`${head}.${payload}`);
  const proof = Buffer.from(signature, "base64url");
  return (
    verify("sha256", data, { key: publicKey, dsaEncoding: "ieee-p1363" }, proof) &&
    header.alg === "ES256" &&
    header.crit === undefined &&
    claims.iss === "iss-a" &&
    [claims.aud].flat().includes("a") &&
    (claims.exp === undefined || claims.exp * 1000 > Date.now() - 60_000) &&
    (claims.nbf === undefined || claims.nbf * 1000 < Date.now() + 60_000)
  );
}

/** @param parts header, line feed, payload */
export function signed(parts: string): string {
  const at = parts.indexOf("\n");
  const [head, payload] = at < 0 ? [parts, ""] : [parts.slice(0, at), parts.slice(at + 1)];
  const encode = (part: string): string => Buffer.from(part, "latin1").toString("base64url");
  const data = `${encode(head)}.${encode(payload)}`;
  const proof = sign("sha256", Buffer.from(data), { key: privateKey, dsaEncoding: "ieee-p1363" });
  return `${data}.${proof.toString("base64url")}`;
}
