/** Issuers of a test: keys, and tokens that they sign, or somebody else does. */

import { constants, createHmac, generateKeyPairSync, type KeyObject, sign } from "node:crypto";
import type { TokenRequest } from "@inmesh/core";
import type { JwtRule } from "@inmesh/model";

interface Pair {
  readonly publicKey: KeyObject;
  readonly privateKey: KeyObject;
}

export const RSA: Pair = generateKeyPairSync("rsa", { modulusLength: 2048 });
export const OTHER_RSA: Pair = generateKeyPairSync("rsa", { modulusLength: 2048 });
export const P256: Pair = generateKeyPairSync("ec", { namedCurve: "P-256" });
export const P384: Pair = generateKeyPairSync("ec", { namedCurve: "P-384" });
export const P521: Pair = generateKeyPairSync("ec", { namedCurve: "P-521" });
export const ED25519: Pair = generateKeyPairSync("ed25519");

/** Wall time of a fake clock, in seconds. */
export const NOW = Date.UTC(2026, 0, 1) / 1000;
export const CLAIMS = { iss: "iss-a", sub: "u", aud: "a1", exp: NOW + 3_600, iat: NOW - 10 };

export function jwk({ publicKey }: Pair, kid?: string, rest: object = {}): object {
  return { ...publicKey.export({ format: "jwk" }), ...(kid !== undefined && { kid }), ...rest };
}

export function jwks(...keys: object[]): string {
  return JSON.stringify({ keys });
}

export const JWKS = jwks(jwk(RSA, "r1"), jwk(P256, "e1"), jwk(P384, "e384"), jwk(P521, "e521"), jwk(ED25519, "d1"));

export interface TokenOptions {
  readonly alg?: string;
  readonly kid?: string | null;
  readonly key?: Pair;
  readonly header?: object;
  readonly signature?: string;
}

/** @param claims as an object, or the text of one */
export function token(claims: object | string = CLAIMS, options: TokenOptions = {}): string {
  const { alg = "RS256", kid = "r1", key = RSA, header = {}, signature } = options;
  const signed = `${encode({ alg, ...(kid !== null && { kid }), typ: "JWT", ...header })}.${encode(claims)}`;
  return `${signed}.${signature ?? signatureOf(alg, signed, key)}`;
}

export function encode(part: object | string): string {
  return Buffer.from(typeof part === "string" ? part : JSON.stringify(part)).toString("base64url");
}

/** With the public key as the secret both sides know: what a verifier believes that lets the token choose. */
export function confused(): string {
  const signed = `${encode({ alg: "HS256", kid: "r1" })}.${encode(CLAIMS)}`;
  const secret = RSA.publicKey.export({ type: "spki", format: "pem" });
  return `${signed}.${createHmac("sha256", secret).update(signed).digest("base64url")}`;
}

function signatureOf(alg: string, signed: string, { privateKey }: Pair): string {
  const data = Buffer.from(signed);
  if (alg === "EdDSA") return sign(null, data, privateKey).toString("base64url");
  const digest = `sha${alg.slice(2)}`;
  if (alg.startsWith("ES"))
    return sign(digest, data, { key: privateKey, dsaEncoding: "ieee-p1363" }).toString("base64url");
  const padding = alg.startsWith("PS") ? constants.RSA_PKCS1_PSS_PADDING : constants.RSA_PKCS1_PADDING;
  const saltLength = constants.RSA_PSS_SALTLEN_DIGEST;
  return sign(digest, data, { key: privateKey, padding, saltLength }).toString("base64url");
}

export const DEFAULT_PLACES = {
  headers: [{ name: "Authorization", prefix: "Bearer " }],
  params: ["access_token"],
  cookies: [],
};

export function rule(part: Partial<JwtRule> = {}): JwtRule {
  return {
    ...{
      issuer: "iss-a",
      audiences: [],
      jwks: JWKS,
      jwksUri: "",
      places: DEFAULT_PLACES,
      forwardsToken: false,
      required: false,
    },
    ...{ payloadHeader: "", claimHeaders: [], spaceDelimited: [], timeoutMs: 5_000 },
    resource: { kind: "RequestAuthentication", namespace: "shop", name: "a" } as unknown as JwtRule["resource"],
    ...part,
  };
}

export function request(headers: Readonly<Record<string, string | string[]>> = {}, path = "/p"): TokenRequest {
  return { path, header: (name) => headers[name] };
}

export function bearer(text: string, path?: string): TokenRequest {
  return request({ authorization: `Bearer ${text}` }, path);
}
