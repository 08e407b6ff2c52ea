/** An identity for tests: authorities and certificates of a mesh, made here, and changed by the test. */

import { X509Certificate } from "node:crypto";
import type { Credentials, Identity, IdentityStatus, PeerChain, PeerVerdict } from "@inmesh/core";
import { parseSpiffeId } from "@inmesh/model";
import { type Issued, type IssueOptions, TestAuthority } from "./certificates.js";

export interface TestCredentials extends Issued {
  /** Leaf and intermediates. */
  readonly chain: string;
}

/** A root, and below it an authority that signs, as meshes have them. */
export class TestTrustDomain {
  readonly name: string;
  readonly root: TestAuthority;
  readonly signer: TestAuthority;

  /** @param label of its authorities: nothing else tells two of the same name apart in a chain */
  constructor(name = "cluster.local", label = "") {
    this.name = name;
    this.root = new TestAuthority(`root${label} of ${name}`);
    this.signer = this.root.below(`signer${label} of ${name}`);
  }

  /** @param who `ns/shop/sa/cart`, or a whole URI, or several */
  issue(who: string | readonly string[], options: IssueOptions = {}): TestCredentials {
    const names = [who].flat().map((each) => (each.includes("://") ? each : `spiffe://${this.name}/${each}`));
    const issued = this.signer.issue(names, options);
    return { ...issued, chain: issued.cert + this.signer.pem };
  }
}

export interface TestIdentityOptions {
  readonly own: TestCredentials;
  readonly id?: string;
  /** Roots by trust domain. */
  readonly bundles: Readonly<Record<string, readonly string[]>>;
  /** @default Date.now */
  readonly wallTime?: () => number;
}

export class TestIdentity implements Identity {
  readonly #listeners = new Set<(credentials: Credentials) => void>();
  readonly #wallTime: () => number;
  #current: Credentials | undefined;
  verified = 0;

  constructor(options: TestIdentityOptions | undefined, wallTime: () => number = Date.now) {
    this.#wallTime = options?.wallTime ?? wallTime;
    if (options !== undefined) this.set(options);
  }

  get current(): Credentials | undefined {
    return this.#current;
  }

  get status(): IdentityStatus {
    return { state: this.#current === undefined ? "starting" : "ready", source: "a test" };
  }

  /** The next generation. */
  set({ own, bundles }: TestIdentityOptions): void {
    const certificate = new X509Certificate(own.cert);
    this.#current = {
      generation: (this.#current?.generation ?? 0) + 1,
      self: parseSpiffeId(uriOf(certificate))!,
      certificateChain: own.chain,
      privateKey: own.key,
      bundles: new Map(Object.entries(bundles)),
      notBefore: Date.parse(certificate.validFrom),
      notAfter: Date.parse(certificate.validTo),
    };
    for (const listener of this.#listeners) listener(this.#current);
  }

  ready(): Promise<Credentials> {
    return this.#current === undefined ? Promise.reject(new Error("none yet")) : Promise.resolve(this.#current);
  }

  subscribe(listener: (credentials: Credentials) => void): () => void {
    this.#listeners.add(listener);
    return () => void this.#listeners.delete(listener);
  }

  verifyPeer(chain: PeerChain): PeerVerdict {
    this.verified += 1;
    const certificates = chain.map((der) => new X509Certificate(der));
    const [leaf] = certificates;
    if (leaf === undefined) return { refusal: "an empty chain" };
    const names = (leaf.subjectAltName ?? "").split(", ");
    if (names.length !== 1) return { refusal: `${names.length} names` };
    const peer = parseSpiffeId(uriOf(leaf));
    if (peer === undefined) return { refusal: "no SPIFFE id" };
    if (Date.parse(leaf.validTo) <= this.#wallTime()) return { refusal: "expired" };
    const top = certificates.at(-1)!;
    const roots = (this.#current?.bundles.get(peer.trustDomain) ?? []).map((pem) => new X509Certificate(pem));
    const vouched = roots.some((root) => root.fingerprint256 === top.fingerprint256 || top.verify(root.publicKey));
    return vouched ? { peer } : { refusal: `${peer.id} is not vouched for by a root of ${peer.trustDomain}` };
  }

  async close(): Promise<void> {}
}

function uriOf(certificate: X509Certificate): string {
  return (certificate.subjectAltName ?? "").replace(/^URI:/, "");
}
