/** A source of certificates that does as a test says, by an authority on the test's clock. */

import type { CredentialSource, GivenCredentials } from "@inmesh/core";
import { seededRandom } from "@inmesh/core";
import { FakeClock } from "@inmesh/core/testing";
import { type CertificateAuthority, createAuthority } from "../ca/index.js";
import { createCsr } from "../x509/csr.js";
import { generateKey, privateKeyPem } from "../x509/signature.js";
import { type IdentityNotice, WorkloadIdentity } from "./workload-identity.js";

export const HOUR = 3_600_000;
export const CART = "spiffe://cluster.local/ns/shop/sa/cart";

export function credentialsOf(authority: CertificateAuthority, id = CART, ttlMs = HOUR): GivenCredentials {
  const key = generateKey();
  const { certificateChain, bundles } = authority.sign(createCsr(key), id, ttlMs);
  return {
    certificateChain,
    privateKey: privateKeyPem(key),
    roots: new Map([...bundles].map(([domain, pems]) => [domain, pems.join("")])),
  };
}

export class ScriptedSource implements CredentialSource {
  readonly description = "the test";
  readonly renewal: CredentialSource["renewal"];
  readonly authority: CertificateAuthority;
  ttlMs = HOUR;
  id = CART;
  /** Thrown in place of an answer. */
  trouble = "";
  /** Given in place of new ones. */
  given: GivenCredentials | undefined;
  /** Never answers. */
  silent = false;
  asked = 0;
  closed = 0;
  onChange: (() => void) | undefined;

  constructor(clock: FakeClock, renewal: CredentialSource["renewal"] = "asked") {
    this.renewal = renewal;
    this.authority = createAuthority({ trustDomains: ["cluster.local"], wallTime: () => clock.wallTime() });
  }

  async obtain(): Promise<GivenCredentials> {
    this.asked += 1;
    if (this.silent) return new Promise(() => {});
    if (this.trouble !== "") throw new Error(this.trouble);
    return this.given ?? credentialsOf(this.authority, this.id, this.ttlMs);
  }

  watch(onChange: () => void): () => void {
    this.onChange = onChange;
    return () => {
      this.onChange = undefined;
    };
  }

  close(): void {
    this.closed += 1;
  }
}

export interface SetupOptions {
  readonly renewal?: CredentialSource["renewal"];
  readonly seed?: number;
  readonly aliases?: readonly string[];
}

export function setup({ renewal, seed = 7, aliases = [] }: SetupOptions = {}) {
  const clock = new FakeClock();
  clock.advance(250); // no whole second, as in life
  const source = new ScriptedSource(clock, renewal);
  const notices: IdentityNotice[] = [];
  const identity = new WorkloadIdentity({
    ...{ source, clock, random: seededRandom(seed) },
    aliases: () => aliases,
    onNotice: (notice) => notices.push(notice),
  });
  /** Severities of what was said since the last look. */
  const said = (): string[] => notices.splice(0).map(({ severity, message }) => `${severity}: ${message}`);
  return { clock, source, identity, notices, said };
}
