/** Tokens signed by node:crypto alone, and the keys to check them with. */

import { generateKeyPairSync, type JsonWebKey, sign } from "node:crypto";

export interface Issuer {
  readonly name: string;
  /** As RequestAuthentication takes it: the public half. */
  readonly jwks: string;
  token(claims?: Readonly<Record<string, unknown>>): string;
}

const HOUR_S = 3_600;

export function createIssuer(name: string): Issuer {
  const { publicKey, privateKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
  const jwk: JsonWebKey = { ...publicKey.export({ format: "jwk" }), kid: "one", use: "sig", alg: "ES256" };
  return {
    name,
    jwks: JSON.stringify({ keys: [jwk] }),
    token(claims = {}) {
      const now = Math.floor(Date.now() / 1_000);
      const payload = { iss: name, sub: "ann", iat: now, exp: now + HOUR_S, ...claims };
      const text = [{ alg: "ES256", kid: "one", typ: "JWT" }, payload].map(base64url).join(".");
      const signature = sign("sha256", Buffer.from(text), { key: privateKey, dsaEncoding: "ieee-p1363" });
      return `${text}.${signature.toString("base64url")}`;
    },
  };
}

function base64url(value: unknown): string {
  return Buffer.from(JSON.stringify(value)).toString("base64url");
}
