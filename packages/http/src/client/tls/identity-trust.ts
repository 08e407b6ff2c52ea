/**
 * Trust in the mesh: this process shows its identity, and every server must show one by a root of its own trust domain.
 * New credentials are for new connections; open ones stay, unless the root that vouches for their server was taken away.
 */

import { X509Certificate } from "node:crypto";
import { createSecureContext, type DetailedPeerCertificate, type SecureContext } from "node:tls";
import type { Clock, Credentials, Identity } from "@inmesh/core";
import { messageOf } from "@inmesh/core";
import { WRONG_PEER_CODE } from "@inmesh/core/internal";
import { SPIFFE_SCHEME } from "@inmesh/model";
import { peerChain } from "../../peer-chain.js";
import { wrongPeer } from "./peer-name.js";
import type { Verified } from "./secured-socket.js";
import type { AskedPeer, Trust, TrustFailure, Verdict } from "./trust.js";

/** Expected identities told in an error; a service may have many. */
const TOLD = 10;
/** Certificates between leaf and root that are followed: chains of the mesh have one, and a loop has no end. */
const LONGEST_CHAIN = 8;

export class IdentityTrust implements Trust {
  generation = 0;
  users = 0;
  /** With a root gone, all processes of the mesh connect anew: not in the same moment. */
  readonly graceMs = 1_000;
  readonly #identity: Identity | undefined;
  readonly #clock: Clock;
  readonly #nextGeneration: () => number;
  #credentials: Credentials | undefined;
  #context: SecureContext | undefined;
  /** SHA-256 of every root that is trusted. */
  #roots: ReadonlySet<string> = new Set();
  #failure: TrustFailure | undefined;

  /** @param identity undefined where this process has none */
  constructor(identity: Identity | undefined, clock: Clock, nextGeneration: () => number) {
    this.#identity = identity;
    this.#clock = clock;
    this.#nextGeneration = nextGeneration;
  }

  get shows(): string {
    return this.#credentials?.self.id ?? "";
  }

  get validTo(): number {
    return this.#credentials?.notAfter ?? Number.POSITIVE_INFINITY;
  }

  get failure(): TrustFailure | undefined {
    const credentials = this.#credentials;
    if (credentials === undefined || !this.#hasExpired(credentials)) return this.#failure;
    const { source, reason = "no newer ones came" } = this.#identity!.status; // it gave them
    const since = new Date(credentials.notAfter).toISOString();
    return { file: undefined, why: `its credentials expired at ${since} (${source}: ${reason})` };
  }

  /** Made once per generation, when it is first wanted: 1 to 2 ms. */
  get context(): SecureContext | undefined {
    const credentials = this.#credentials;
    if (credentials === undefined || this.#hasExpired(credentials)) return undefined;
    try {
      this.#context ??= createSecureContext({
        cert: credentials.certificateChain,
        key: credentials.privateKey,
        ca: [...credentials.bundles.values()].flat(), // `judge` asks whose root it is
        minVersion: "TLSv1.2",
        maxVersion: "TLSv1.3",
      });
    } catch (error) {
      this.#failure = { file: undefined, why: `its credentials cannot be used: ${messageOf(error)}` };
    }
    return this.#context;
  }

  check(limitMs: number): Promise<void> {
    this.look();
    const { context } = this;
    // Everybody waits for as long as he may: whose limit is shorter fails for himself.
    return context !== undefined || limitMs === 0 ? Promise.resolve() : this.#wait(limitMs);
  }

  look(): void {
    const credentials = this.#identity?.current;
    if (credentials === undefined || credentials.generation === this.#credentials?.generation) return;
    this.#credentials = credentials;
    this.#context = undefined;
    this.#failure = undefined;
    this.generation = this.#nextGeneration();
    this.#roots = new Set([...credentials.bundles.values()].flat().map(fingerprintOf));
  }

  judge(certificate: DetailedPeerCertificate, { tls }: AskedPeer): Verdict {
    const chain = peerChain(certificate, LONGEST_CHAIN);
    const { peer, refusal } = this.#identity!.verifyPeer(chain.map(({ raw }) => raw)); // there is a context, so an identity
    if (peer === undefined) return { error: wrong(`its certificate is refused: ${refusal}`, tls.identities) };
    const isNamed = tls.anyIdentity === true || tls.identities.includes(peer.id);
    if (!isNamed && !hasOtherName(certificate, tls.identities)) {
      return { error: wrong(`it is "${peer.id}"`, tls.identities) };
    }
    const validTo = Math.min(...chain.map(({ valid_to }) => Date.parse(valid_to)));
    const root = chain.at(-1)!.fingerprint256; // a chain has its leaf at least
    return { verified: { peer: peer.id, root, validTo } };
  }

  holds({ root }: Verified): boolean {
    return this.#roots.has(root);
  }

  async #wait(limitMs: number): Promise<void> {
    const identity = this.#identity;
    if (identity === undefined) {
      const why = "this process has none: see the setting identity (INMESH_IDENTITY)";
      this.#failure = { file: undefined, why };
      return;
    }
    try {
      await identity.ready(limitMs);
      this.look();
    } catch (error) {
      this.#failure = { file: undefined, why: `none came from ${identity.status.source}: ${messageOf(error)}` };
    }
  }

  #hasExpired({ notAfter }: Credentials): boolean {
    return notAfter <= this.#clock.wallTime();
  }
}

/** Rules may name servers of the mesh by DNS names as well. */
function hasOtherName({ raw }: DetailedPeerCertificate, identities: readonly string[]): boolean {
  const subjectAltNames = identities.filter((name) => !name.startsWith(SPIFFE_SCHEME));
  return subjectAltNames.length > 0 && wrongPeer(raw, { verifiesServerName: false, subjectAltNames }, "") === undefined;
}

/** Who was expected, where OpenSSL itself found the certificates bad. */
export function unverified(error: Error, code: string, identities: readonly string[]): Error {
  return wrong(`its certificate is not vouched for by the roots of this mesh: ${error.message} (${code})`, identities);
}

function wrong(found: string, identities: readonly string[]): Error {
  const told = identities.slice(0, TOLD).map((id) => `"${id}"`);
  if (told.length < identities.length) told.push(`${identities.length - told.length} more`);
  const expected = told.length === 0 ? "nobody: no identity may serve it" : told.join(" or ");
  return Object.assign(new Error(`${found}, expected ${expected}`), { code: WRONG_PEER_CODE });
}

/** Empty for what is no certificate: nothing was verified by it. */
function fingerprintOf(pem: string): string {
  try {
    return new X509Certificate(pem).fingerprint256;
  } catch {
    return "";
  }
}
