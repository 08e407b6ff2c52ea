/** What the mesh's own authority issues on one core, and what a peer's certificate costs whoever checks it. */

import { createPublicKey } from "node:crypto";
import { checkSvid, createCsr, generateKey, parseChain, readCsr, trustOf } from "@inmesh/identity";
import { createAuthority } from "@inmesh/identity/ca";
import { spread } from "../lib/stats.js";
import { type Report, show } from "../lib/table.js";

const ID = "spiffe://cluster.local/ns/shop/sa/cart";
const WARM_UP = 200;
const BATCHES = 20;
const BATCH = 50;

export async function leaves(): Promise<Report> {
  const authority = createAuthority({ trustDomains: ["cluster.local"], wallTime: Date.now });
  const key = generateKey();
  const csr = createCsr(key);
  const publicKey = createPublicKey(key);
  const { certificateChain, bundles } = authority.sign(csr, ID);
  const chain = parseChain(certificateChain).map(({ der }) => der);
  const known = trustOf(bundles);
  const now = Date.now();
  const rows = [
    row("leaf from a request: verified, built, signed", () => authority.sign(csr, ID)),
    row("leaf for a key of the process's own", () => authority.signKey(publicKey, ID)),
    row("key and request of a workload", () => createCsr(generateKey())),
    row("request read and verified", () => readCsr(csr)),
    row("peer checked for the first time (leaf, intermediate, root)", () => {
      known.accepted.clear();
      return checkSvid(chain, known, now);
    }),
    row("the same peer again", () => checkSvid(chain, known, now)),
  ];
  return { bench: "leaves", rows, notes: ["goal: >= 1,000 leaves per second and core"] };
}

/** By CPU time, of all threads of this process: other processes do not count. */
function row(what: string, operation: () => unknown) {
  const samples: number[] = [];
  for (let turn = 0; turn < WARM_UP; turn++) operation();
  for (let batch = 0; batch < BATCHES; batch++) {
    const before = process.cpuUsage();
    for (let turn = 0; turn < BATCH; turn++) operation();
    const { user, system } = process.cpuUsage(before);
    samples.push((user + system) / BATCH);
  }
  const { low, median, high } = spread(samples);
  return { what, "CPU us": show({ low, median, high }, 1), "per s": Math.round(1e6 / median) };
}
