/** Public keys of an issuer (RFC 7517), and which of them may have signed a token. */

import { importJWK, type JWK } from "jose";
import { parseJsonObject } from "./json-object.js";
import { own } from "./parse-token.js";

type SigningKey = Awaited<ReturnType<typeof importJWK>>;

/** Of a token without `kid`, each is tried: a set without end would be work without end. */
const MOST_KEYS = 64;
const RSA = new Set(["RS256", "RS384", "RS512", "PS256", "PS384", "PS512"]);
const CURVES: Readonly<Record<string, string>> = { ES256: "P-256", ES384: "P-384", ES512: "P-521" };

export class KeySet {
  readonly keys: readonly PublicKey[];

  private constructor(keys: readonly PublicKey[]) {
    this.keys = keys;
  }

  /** Keys that cannot verify tokens (secrets, for encryption, of unknown kinds) are left out. @throws where none is left */
  static parse(text: string): KeySet {
    const keys = own(parseJsonObject(text) ?? {}, "keys");
    if (!Array.isArray(keys)) throw new Error("it is no JSON Web Key Set: an object with a list named keys");
    if (keys.length > MOST_KEYS) throw new Error(`it holds ${keys.length} keys, more than ${MOST_KEYS}`);
    const usable = keys.map(readKey).filter((key) => key !== undefined);
    if (usable.length === 0) throw new Error("it holds no public key of kind RSA, EC or OKP that may verify tokens");
    return new KeySet(usable);
  }

  /** By `kid`, where both sides have one. Empty: a newer set may know. */
  named(kid: string): readonly PublicKey[] {
    return this.keys.filter((key) => kid === "" || key.kid === "" || key.kid === kid);
  }
}

export class PublicKey {
  readonly kid: string;
  readonly #jwk: JWK;
  readonly #imported = new Map<string, Promise<SigningKey>>();

  constructor(jwk: JWK) {
    this.kid = jwk.kid ?? "";
    this.#jwk = jwk;
  }

  /** The key decides by which algorithms it is used, never the token alone. */
  fits(alg: string): boolean {
    const { kty, crv, alg: only } = this.#jwk;
    if (only !== undefined && only !== alg) return false;
    if (RSA.has(alg)) return kty === "RSA";
    if (alg === "EdDSA") return kty === "OKP" && crv === "Ed25519";
    return kty === "EC" && crv === CURVES[alg];
  }

  /** @throws for a key that is none, once for all */
  import(alg: string): Promise<SigningKey> {
    let key = this.#imported.get(alg);
    if (key === undefined) {
      key = importJWK(this.#jwk, alg);
      this.#imported.set(alg, key);
    }
    return key;
  }
}

function readKey(value: unknown): PublicKey | undefined {
  if (typeof value !== "object" || value === null || Array.isArray(value)) return undefined;
  const read = (name: string): string | undefined => {
    const text = own(value as Record<string, unknown>, name);
    return typeof text === "string" ? text : undefined;
  };
  const use = read("use");
  const operations = own(value as Record<string, unknown>, "key_ops");
  if (use !== undefined && use !== "sig") return undefined;
  if (Array.isArray(operations) && !operations.includes("verify")) return undefined;
  const jwk: JWK = {};
  // The public members and no others: a private half that was published by mistake is not even kept.
  for (const name of ["kty", "crv", "x", "y", "n", "e", "kid", "alg"] as const) {
    const text = read(name);
    if (text !== undefined) jwk[name] = text;
  }
  const { kty, n, e, crv, x, y } = jwk;
  const complete =
    (kty === "RSA" && n !== undefined && e !== undefined) ||
    (kty === "EC" && crv !== undefined && x !== undefined && y !== undefined) ||
    (kty === "OKP" && crv !== undefined && x !== undefined);
  return complete ? new PublicKey(jwk) : undefined;
}
