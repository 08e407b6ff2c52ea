/** Leaves that an authority signs, alone and with the key and the request that come before it. One core. */

import { createPublicKey, generateKeyPairSync } from "node:crypto";
import { createAuthority } from "@inmesh/identity/ca";
import { spread } from "../lib/stats.js";
import { type Report, show } from "../lib/table.js";

const BATCHES = 20;
const BATCH = 100;
const ID = "spiffe://cluster.local/ns/shop/sa/web";

export async function authority(): Promise<Report> {
  const made = createAuthority({ trustDomains: ["cluster.local"], wallTime: () => Date.now() });
  const { publicKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
  const fresh = () => {
    const { privateKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
    return made.signKey(createPublicKey(privateKey), ID);
  };
  return {
    bench: "leaves of an authority, P-256, a second",
    rows: [
      { what: "signed for a known key", "leaves/s": show(spread(rate(() => made.signKey(publicKey, ID))), 0) },
      { what: "with a new key for each", "leaves/s": show(spread(rate(fresh)), 0) },
    ],
    notes: ["goal: >= 1,000 a second on one core"],
  };
}

function rate(issue: () => unknown): number[] {
  for (let turn = 0; turn < BATCH; turn++) issue();
  return Array.from({ length: BATCHES }, () => {
    const start = performance.now();
    for (let turn = 0; turn < BATCH; turn++) issue();
    return (BATCH / (performance.now() - start)) * 1_000;
  });
}
