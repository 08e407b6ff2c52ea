/** A token taken apart. Nothing of it is believed yet: that takes a key. */

import type { InvalidToken } from "@inmesh/core";
import { type JsonObject, parseJsonObject } from "./json-object.js";
import { refusal, WORDS } from "./refusal.js";

export interface ParsedToken extends ReadToken {
  /** As it came. */
  readonly text: string;
}

/** What it says. */
export interface ReadToken {
  readonly alg: string;
  /** Empty: the token does not say which key. */
  readonly kid: string;
  readonly payload: JsonObject;
  /** As it stands in the token: base64url. */
  readonly payloadText: string;
  readonly issuer: string;
  readonly audiences: readonly string[];
  /** Seconds since 1970; undefined: never, and always. */
  readonly expiresAt: number | undefined;
  readonly notBefore: number | undefined;
}

/** What may sign: keys of two halves only. What both sides know (HS…) would make every holder of the public half a signer. */
const ALGORITHMS: ReadonlySet<string> = new Set([
  ...["RS256", "RS384", "RS512", "ES256", "ES384", "ES512", "PS256", "PS384", "PS512"],
  "EdDSA",
]);
/** More than any header or target that Node takes. */
const LONGEST = 65_536;
const BASE64URL = /^[\w-]+$/;
const UTF8 = new TextDecoder("utf-8", { fatal: true });

export function parseToken(text: string): ParsedToken | InvalidToken {
  const [head = "", payloadText = "", signature = "", rest] = text.length > LONGEST ? [] : text.split(".");
  if (head === "" || payloadText === "" || signature === "" || rest !== undefined) return refusal(WORDS.form);
  const headerJson = decode(head);
  if (headerJson === undefined) return refusal(WORDS.headerBase64);
  const header = parseJsonObject(headerJson);
  if (header === undefined) return refusal(WORDS.headerJson);
  const alg = own(header, "alg");
  if (typeof alg !== "string") return refusal(WORDS.alg);
  if (!ALGORITHMS.has(alg)) return refusal(WORDS.algUnsupported, "the token's algorithm is none that may sign tokens");
  const kid = own(header, "kid") ?? "";
  if (typeof kid !== "string") return refusal(WORDS.kid);
  // RFC 7515 §4.1.11: who does not understand an extension must refuse it. Differs: Envoy takes such a token.
  if (own(header, "crit") !== undefined)
    return refusal(WORDS.signature, "the token demands extensions (crit) that nobody here understands");
  if (!isBase64url(signature)) return refusal(WORDS.signatureBase64);
  const json = decode(payloadText);
  if (json === undefined) return refusal(WORDS.payloadBase64);
  const payload = parseJsonObject(json);
  if (payload === undefined) return refusal(WORDS.payloadJson);
  return readPayload({ text, alg, kid, payload, payloadText });
}

function readPayload(
  read: Pick<ParsedToken, "text" | "alg" | "kid" | "payload" | "payloadText">,
): ParsedToken | InvalidToken {
  const { payload } = read;
  for (const name of ["iss", "sub", "jti"]) {
    const value = own(payload, name);
    if (value !== undefined && typeof value !== "string") return wrong(name, "a string");
  }
  for (const name of ["iat", "nbf", "exp"]) {
    const value = own(payload, name);
    if (value === undefined) continue;
    if (typeof value !== "number") return wrong(name, "an integer");
    if (!(value >= 0 && value < 2 ** 63)) return wrong(name, "a positive 64 bit integer");
  }
  const aud = own(payload, "aud") ?? [];
  const audiences = typeof aud === "string" ? [aud] : aud;
  if (!Array.isArray(audiences) || !audiences.every((each) => typeof each === "string")) {
    return wrong("aud", "a string or string list");
  }
  return {
    ...read,
    issuer: (own(payload, "iss") as string | undefined) ?? "",
    audiences,
    expiresAt: own(payload, "exp") as number | undefined,
    notBefore: own(payload, "nbf") as number | undefined,
  };
}

function wrong(name: string, what: string): InvalidToken {
  return refusal(`Jwt payload [${name}] field is not ${what}`);
}

/** A token's names are anybody's: `constructor` and its kin must not be found in it. */
export function own(object: JsonObject, name: string): unknown {
  return Object.hasOwn(object, name) ? object[name] : undefined;
}

function isBase64url(text: string): boolean {
  return BASE64URL.test(text) && text.length % 4 !== 1;
}

function decode(text: string): string | undefined {
  if (!isBase64url(text)) return undefined;
  try {
    return UTF8.decode(Buffer.from(text, "base64url"));
  } catch {
    return undefined;
  }
}
