/** What the application is told of a verified token, in headers. */

import type { InvalidToken } from "@inmesh/core";
import type { Claims, JwtRule } from "@inmesh/model";
import type { JsonObject } from "./json-object.js";
import { own, type ReadToken } from "./parse-token.js";
import { refusal, WORDS } from "./refusal.js";

/** By Istio, whatever the rule says. */
const SPACE_DELIMITED: readonly string[] = ["scope", "permission"];
const FIT_FOR_HEADERS = /^[\t\x20-\x7e\x80-\xff]*$/;

/** Flat, lower-case; or why a claim cannot be told: to leave it out could read as its absence. */
export function claimHeaders(rule: JwtRule, token: ReadToken): readonly string[] | InvalidToken {
  const flat: string[] = [];
  if (rule.payloadHeader !== "") flat.push(rule.payloadHeader.toLowerCase(), token.payloadText);
  for (const { header, claim } of rule.claimHeaders) {
    const value = headerValue(claimAt(token.payload, claim.split(".")));
    if (value === "") continue; // as Envoy
    if (!FIT_FOR_HEADERS.test(value)) {
      return refusal(WORDS.signature, `the claim ${claim} holds characters that no header may hold`);
    }
    flat.push(header.toLowerCase(), value);
  }
  return flat;
}

/** For matching: some claims are lists written with spaces. */
export function claimsOf(rule: JwtRule, { payload }: ReadToken): Claims {
  const split: Record<string, unknown> = {};
  for (const name of [...SPACE_DELIMITED, ...rule.spaceDelimited]) {
    const value = own(payload, name);
    if (typeof value === "string") split[name] = value.split(" ").filter((each) => each !== "");
  }
  return Object.freeze({ ...payload, ...split });
}

function claimAt(payload: JsonObject, path: readonly string[]): unknown {
  let at: unknown = payload;
  for (const name of path) {
    if (typeof at !== "object" || at === null || Array.isArray(at)) return undefined;
    at = own(at as JsonObject, name);
  }
  return at;
}

/** Lists and objects go as JSON in base64. Differs: Envoy writes numbers that are no natural ones with six decimals. */
function headerValue(claim: unknown): string {
  switch (typeof claim) {
    case "string":
      return Buffer.from(claim, "utf8").toString("latin1"); // a character of a header is a byte
    case "number":
    case "boolean":
      return String(claim);
    case "object":
      return claim === null ? "" : Buffer.from(JSON.stringify(claim)).toString("base64");
    default:
      return "";
  }
}
