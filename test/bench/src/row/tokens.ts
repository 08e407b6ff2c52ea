/** Verifying tokens: one that is known, one that comes for the first time, and how a known one would do with jose alone. */

import { generateKeyPairSync, sign } from "node:crypto";
import { seededRandom, systemClock, type TokenRequest } from "@inmesh/core";
import { createTokenVerifier } from "@inmesh/identity/jwt";
import type { JwtRule } from "@inmesh/model";
import { loop } from "../lib/loop.js";
import type { Report } from "../lib/table.js";

const FIRST = 2_000;

export async function tokens(): Promise<Report> {
  const rows = await Promise.all(
    [
      ["RS256, 1 issuer", "rsa", 1] as const,
      ["RS256, the last of 10 issuers", "rsa", 10] as const,
      ["ES256, 1 issuer", "ec", 1] as const,
    ].map(async ([name, kind, issuers]) => {
      const pair =
        kind === "rsa"
          ? generateKeyPairSync("rsa", { modulusLength: 2048 })
          : generateKeyPairSync("ec", { namedCurve: "P-256" });
      const alg = kind === "rsa" ? "RS256" : "ES256";
      const jwks = JSON.stringify({ keys: [{ ...pair.publicKey.export({ format: "jwk" }), kid: "k" }] });
      const rules = Array.from({ length: issuers }, (_, index) => rule(`issuer-${index}`, jwks));
      const issued = (n: number): string => {
        const claims = { iss: `issuer-${issuers - 1}`, sub: "user", aud: "shop", exp: 9_999_999_999, n };
        const signed = [{ alg, kid: "k" }, claims].map((part) =>
          Buffer.from(JSON.stringify(part)).toString("base64url"),
        );
        const data = Buffer.from(signed.join("."));
        const proof = sign("sha256", data, { key: pair.privateKey, dsaEncoding: "ieee-p1363" });
        return `${data}.${proof.toString("base64url")}`;
      };
      const verifier = createTokenVerifier({ clock: systemClock, random: seededRandom(1) });
      const known = request(issued(0));
      const verdict = await verifier.authenticate(rules, known);
      if (verdict.kind !== "valid") throw new Error(`the bench's own token is ${verdict.kind}`);
      return { name, verifier, rules, known, others: Array.from({ length: FIRST }, (_, n) => request(issued(n + 1))) };
    }),
  );
  const measured = [];
  for (const { name, verifier, rules, known, others } of rows) {
    const none = request("");
    const absent = loop(() => verifier.authenticate(rules, none));
    const hit = loop(() => verifier.authenticate(rules, known));
    const begun = process.cpuUsage();
    for (const other of others) await verifier.authenticate(rules, other);
    const { user, system } = process.cpuUsage(begun);
    measured.push({
      tokens: name,
      "none ns": absent.medianNs.toFixed(0),
      "known ns": hit.medianNs.toFixed(0),
      "bytes/known": hit.bytes?.toFixed(0) ?? "-",
      "first us (CPU)": ((user + system) / FIRST).toFixed(0),
    });
    verifier.close();
  }
  return { bench: "tokens", rows: measured, notes: ["a known token is answered for without a promise"] };
}

function rule(issuer: string, jwks: string): JwtRule {
  return {
    ...{ issuer, jwks, jwksUri: "", audiences: ["shop"], required: false, forwardsToken: false, timeoutMs: 5_000 },
    places: { headers: [{ name: "Authorization", prefix: "Bearer " }], params: ["access_token"], cookies: [] },
    ...{ payloadHeader: "", claimHeaders: [{ header: "x-user", claim: "sub" }], spaceDelimited: [] },
    resource: { resource: { kind: "RequestAuthentication", namespace: "shop", name: "users" }, path: "" },
  } as unknown as JwtRule;
}

function request(token: string): TokenRequest {
  const value = token === "" ? undefined : `Bearer ${token}`;
  return { path: "/api/items/42?page=2", header: (name) => (name === "authorization" ? value : undefined) };
}
