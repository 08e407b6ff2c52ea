/**
 * Certificates that an authority signs for this process: the key is made here, for each certificate anew, and never leaves
 * the process; what goes out is a request that it signed.
 */

import type { CredentialSource, GivenCredentials } from "@inmesh/core";
import type { IssuedCertificate } from "../ca/index.js";
import { createCsr } from "../x509/csr.js";
import { generateKey, privateKeyPem } from "../x509/signature.js";

/** As `FolderAuthority` of `@inmesh/identity/ca`. */
export interface IssuingAuthority {
  readonly trustDomains: readonly string[];
  sign(csr: string, spiffeId: string, ttlMs?: number): Promise<IssuedCertificate>;
  watch(onChange: () => void): () => void;
}

export interface AuthoritySourceOptions {
  readonly description: string;
  /** Asked again until it succeeds. */
  readonly open: () => Promise<IssuingAuthority>;
  /** Who this process is, in an authority that names these trust domains. */
  readonly nameIn: (trustDomains: readonly string[]) => string;
}

export class AuthoritySource implements CredentialSource {
  readonly renewal = "asked";
  readonly description: string;
  readonly #options: AuthoritySourceOptions;
  #authority: IssuingAuthority | undefined;
  #onChange: (() => void) | undefined;
  #unwatch: (() => void) | undefined;

  constructor(options: AuthoritySourceOptions) {
    this.#options = options;
    this.description = options.description;
  }

  async obtain(signal: AbortSignal): Promise<GivenCredentials> {
    const authority = this.#authority ?? (await this.#options.open());
    signal.throwIfAborted();
    this.#authority = authority;
    this.#unwatch ??= this.#onChange && authority.watch(this.#onChange);
    const key = generateKey();
    const { certificateChain, bundles } = await authority.sign(
      createCsr(key),
      this.#options.nameIn(authority.trustDomains),
    );
    const roots = new Map([...bundles].map(([domain, pems]) => [domain, pems.join("")]));
    return { certificateChain, privateKey: privateKeyPem(key), roots };
  }

  watch(onChange: () => void): () => void {
    this.#onChange = onChange;
    return () => {
      this.#onChange = undefined;
      this.#unwatch?.();
    };
  }
}
