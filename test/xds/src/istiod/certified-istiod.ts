/** An istiod over TLS with an authority of its own, accounts with tokens for it, and certificates that it signs. */

import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type GivenCredentials, systemClock, systemRandom } from "@inmesh/core";
import { createCsr, generateKey, privateKeyPem } from "@inmesh/identity";
import { IstioCaSource } from "@inmesh/xds/identity";
import { makeAuthority, TokenIssuer } from "./authority.js";
import { Istiod, type IstiodOptions } from "./istiod.js";

export const SERVER_NAME = "istiod.istio-system.svc";

export class CertifiedIstiod implements AsyncDisposable {
  readonly istiod: Istiod;
  /** PEM. */
  readonly root: string;
  readonly folder: string;
  readonly #issuer: TokenIssuer;

  private constructor(istiod: Istiod, root: string, folder: string, issuer: TokenIssuer) {
    this.istiod = istiod;
    this.root = root;
    this.folder = folder;
    this.#issuer = issuer;
    writeFileSync(this.rootFile, root);
  }

  static async start({ env, ...options }: IstiodOptions): Promise<CertifiedIstiod> {
    const issuer = await TokenIssuer.start();
    const authority = makeAuthority("lab");
    const istiod = await Istiod.start({
      ...{ ...options, files: authority.files },
      env: {
        ...{ XDS_AUTH: "true", JWT_RULE: issuer.rule, PILOT_CERT_PROVIDER: "istiod", ISTIOD_CUSTOM_HOST: SERVER_NAME },
        ...env,
      },
    });
    return new CertifiedIstiod(istiod, authority.root, mkdtempSync(join(tmpdir(), "inmesh-certified-")), issuer);
  }

  get rootFile(): string {
    return join(this.folder, "root.pem");
  }

  /** Of an account in `shop`. */
  token(account: string): string {
    return this.#issuer.token(`system:serviceaccount:shop:${account}`);
  }

  /** Path of a file with it. */
  tokenFile(account: string): string {
    const path = join(this.folder, account);
    writeFileSync(path, this.token(account));
    return path;
  }

  /** As `config` has it, for a process that runs as the account. */
  url(account: string, profile = "api"): string {
    const token = this.tokenFile(account);
    const query = new URLSearchParams({ profile, "server-name": SERVER_NAME, ca: this.rootFile, token });
    return `xds://${this.istiod.secureAddress}?${query}`;
  }

  async certificate(account: string): Promise<GivenCredentials> {
    const source = new IstioCaSource({
      ...{ address: this.istiod.secureAddress, cluster: "Kubernetes", clock: systemClock, random: systemRandom },
      access: async () => ({ tls: { roots: this.root, serverName: SERVER_NAME }, token: this.token(account) }),
      makeRequest: () => {
        const key = generateKey();
        return { csr: createCsr(key), privateKey: privateKeyPem(key) };
      },
    });
    return await source.obtain(AbortSignal.timeout(20_000));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.istiod[Symbol.asyncDispose]();
    await this.#issuer[Symbol.asyncDispose]();
    rmSync(this.folder, { recursive: true, force: true });
  }
}
