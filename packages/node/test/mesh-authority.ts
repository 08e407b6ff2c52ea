/** Identities for tests: an authority whose leaves are given out at will, and the identity of a client that is renewed when told. */

import { createPublicKey } from "node:crypto";
import type { ServerOptions } from "node:https";
import { systemClock, systemRandom } from "@inmesh/core";
import { generateKey, privateKeyPem, WorkloadIdentity } from "@inmesh/identity";
import { type CertificateAuthority, createAuthority } from "@inmesh/identity/ca";
import { listenTls, type TlsTestServer } from "../../http/test/tls-server.js";

export const WEB = "spiffe://cluster.local/ns/default/sa/web";
export const PAY = "spiffe://cluster.local/ns/default/sa/pay";

export interface Leaf {
  readonly cert: string;
  readonly key: string;
}

export class MeshAuthority {
  readonly authority: CertificateAuthority;
  readonly roots: readonly string[];

  constructor(...trustDomains: readonly string[]) {
    const domains = trustDomains.length === 0 ? ["cluster.local"] : trustDomains;
    this.authority = createAuthority({ trustDomains: domains, wallTime: Date.now });
    this.roots = this.authority.bundles.get(domains[0]!)!; // it has one for each
  }

  issue(id: string, ttlMs = 3_600_000): Leaf {
    const key = generateKey();
    return { cert: this.authority.signKey(createPublicKey(key), id, ttlMs).certificateChain, key: privateKeyPem(key) };
  }

  /** A server that demands certificates of this authority, or of others. */
  listen(id = PAY, options: ServerOptions = {}): Promise<TlsTestServer> {
    const ca = [...this.roots];
    return listenTls(this.issue(id), { requestCert: true, rejectUnauthorized: true, ca, ...options });
  }
}

export interface TestIdentity extends AsyncDisposable {
  readonly identity: WorkloadIdentity;
  /** The next leaf. @param bundles @default those of before */
  renew(leaf: Leaf, bundles?: ReadonlyMap<string, string>): Promise<void>;
}

/** @param leaf "later": none comes until `renew` */
export async function identityOf(
  by: MeshAuthority,
  leaf: Leaf | "later" = by.issue(WEB),
  bundles: ReadonlyMap<string, string> = new Map([["cluster.local", by.roots.join("")]]),
): Promise<TestIdentity> {
  let given: Leaf | "later" = leaf;
  let roots = bundles;
  const source = {
    description: "the test",
    renewal: "asked",
    async obtain() {
      if (given === "later") throw new Error("the test has none to give");
      return { certificateChain: given.cert, privateKey: given.key, roots };
    },
  } as const;
  const identity = new WorkloadIdentity({ source, clock: systemClock, random: systemRandom });
  identity.start();
  if (leaf !== "later") await identity.ready(5_000);
  return {
    identity,
    async renew(next, nextBundles = roots) {
      given = next;
      roots = nextBundles;
      const renewed = new Promise<void>((resolve) => {
        const end = identity.subscribe(() => {
          end();
          resolve();
        });
      });
      identity.refresh();
      await renewed;
    },
    [Symbol.asyncDispose]: () => identity.close(),
  };
}
