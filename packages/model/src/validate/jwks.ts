/** Key sets written into policy: whether they are any, and whether they hold what nobody else may know. RFC 7517, RFC 7518. */

import { quote } from "../problem-at.js";

/** What a public key of each type must have, and what makes it a private one. */
const MEMBERS: Readonly<Record<string, { readonly wanted: readonly string[]; readonly secret: string }>> = {
  RSA: { wanted: ["n", "e"], secret: "d" },
  EC: { wanted: ["crv", "x", "y"], secret: "d" },
  OKP: { wanted: ["crv", "x"], secret: "d" },
  oct: { wanted: ["k"], secret: "k" },
};

type Key = Readonly<Record<string, unknown>>;

/** @returns a message, or undefined for what is a set of keys */
export function jwksFault(text: string): string | undefined {
  const keys = keysIn(text);
  if (keys === undefined) return `found ${quote(text)}, expected a set of keys as JSON, {"keys": [...]}. Correct it.`;
  for (const [index, key] of keys.entries()) {
    const type = key["kty"];
    const members = typeof type === "string" && Object.hasOwn(MEMBERS, type) ? MEMBERS[type] : undefined;
    if (members === undefined) {
      return `key ${index + 1} is of type ${quote(type)}, expected one of ${Object.keys(MEMBERS).join(", ")}. Correct its kty.`;
    }
    const missing = members.wanted.filter((name) => typeof key[name] !== "string" || key[name] === "");
    if (missing.length > 0) return `key ${index + 1} has no ${missing.join(" and no ")}. Add what is missing.`;
  }
  return undefined;
}

/** Ids, or positions, of keys of which the private part is there. @param text which is a set of keys */
export function privateKeyIds(text: string): readonly string[] {
  return (keysIn(text) ?? []).flatMap((key, index) => {
    const { secret } = MEMBERS[String(key["kty"])] ?? {};
    if (secret === undefined || key[secret] === undefined) return [];
    return [typeof key["kid"] === "string" ? quote(key["kid"]) : `number ${index + 1}`];
  });
}

function keysIn(text: string): readonly Key[] | undefined {
  try {
    const set = JSON.parse(text) as { readonly keys?: unknown };
    const { keys } = set;
    const isSet = Array.isArray(keys) && keys.every((key) => typeof key === "object" && key !== null);
    return isSet ? (keys as readonly Key[]) : undefined;
  } catch {
    return undefined;
  }
}
