/**
 * Who is at the other end of a TLS connection: asked once per connection, and judged once per certificate. A shortened
 * handshake shows the caller's certificate and nothing above it, so the way to its root is remembered.
 */

import { X509Certificate } from "node:crypto";
import type { DetailedPeerCertificate, TLSSocket } from "node:tls";
import type { Clock, Identity, PeerChain, PeerVerdict } from "@inmesh/core";
import { messageOf } from "@inmesh/core";
import type { PeerIdentity } from "@inmesh/model";
import { peerChain } from "../../peer-chain.js";

/** A certificate that was found to be somebody's. */
export interface KnownPeer {
  readonly identity: PeerIdentity;
  readonly chain: PeerChain;
  /** Wall ms. */
  readonly notAfter: number;
  /** SHA-256 of the certificate, lower-case hex. */
  readonly hash: string;
  /** As RFC 4514 writes it; empty for certificates of meshes. */
  readonly subject: string;
  /** Of the roots and trust domains it was judged by. */
  readonly epoch: number;
}

export type Finding = KnownPeer | { readonly refusal: string };

/** Certificates remembered; beyond it the one used longest ago goes, and its tickets with it. */
const MOST_KNOWN = 4_096;
/** Longer chains are nobody's. */
const MOST_CERTIFICATES = 10;

export class Peers {
  readonly #clock: Clock;
  readonly #identity: Identity | undefined;
  /** By the certificate's hash, the last used last. */
  readonly #known = new Map<string, KnownPeer>();
  #trustDomains: ReadonlySet<string> = new Set();
  #epoch = 1;

  constructor(clock: Clock, identity: Identity | undefined) {
    this.#clock = clock;
    this.#identity = identity;
  }

  /** Roots or trust domains are others now: everybody is judged anew, by the next look at them. */
  trust(trustDomains: readonly string[]): void {
    this.#trustDomains = new Set(trustDomains);
    this.#epoch += 1;
  }

  /** Of a connection whose handshake is over. */
  find(socket: TLSSocket): Finding {
    // Not getPeerX509Certificate(): it takes the chain out of the connection, and leaves later readers the leaf alone.
    const leaf = socket.getPeerCertificate(true);
    if (leaf?.raw === undefined) return { refusal: "no certificate" };
    const hash = leaf.fingerprint256.replaceAll(":", "").toLowerCase();
    const known = this.#known.get(hash);
    if (known !== undefined) {
      this.#known.delete(hash);
      if (known.epoch === this.#epoch) {
        const refusal = this.#lifetime(known.notAfter);
        if (refusal !== undefined) return { refusal };
        this.#known.set(hash, known);
        return known;
      }
    }
    const chain =
      (socket.isSessionReused() ? known?.chain : undefined) ?? peerChain(leaf, MOST_CERTIFICATES).map(({ raw }) => raw);
    const found = this.#judge(chain, hash, Date.parse(leaf.valid_to), subjectOf(leaf), true);
    if ("refusal" in found) return found;
    this.#known.set(hash, found);
    if (this.#known.size > MOST_KNOWN) this.#known.delete(this.#known.keys().next().value as string);
    return found;
  }

  /** Of somebody whose connection is open. @returns why it would not be let in today */
  refusalOf({ chain, hash, notAfter, subject }: KnownPeer): string | undefined {
    const found = this.#judge(chain, hash, notAfter, subject);
    return "refusal" in found ? found.refusal : undefined;
  }

  #judge(chain: PeerChain, hash: string, notAfter: number, subject: string, fresh = false): Finding {
    const refusal = this.#lifetime(notAfter);
    if (refusal !== undefined) return { refusal };
    const verdict = this.#verdict(chain, fresh);
    if (verdict === undefined) return { refusal: "this process has no identity, so it knows no roots" };
    if (verdict.peer === undefined) return { refusal: verdict.refusal };
    const { peer: identity } = verdict;
    if (!this.#trustDomains.has(identity.trustDomain)) {
      const domains = [...this.#trustDomains].join(", ");
      return { refusal: `${identity.id} is of trust domain ${identity.trustDomain}, and this mesh takes ${domains}` };
    }
    return { identity, chain, notAfter, hash, subject, epoch: this.#epoch };
  }

  #verdict(chain: PeerChain, fresh: boolean): PeerVerdict | undefined {
    try {
      return this.#identity?.verifyPeer(chain, fresh);
    } catch (error) {
      return { refusal: `its certificate cannot be read: ${messageOf(error)}` };
    }
  }

  /** OpenSSL does not look at it on a shortened handshake. */
  #lifetime(notAfter: number): string | undefined {
    if (notAfter > this.#clock.wallTime()) return undefined;
    return Number.isNaN(notAfter)
      ? "its certificate does not say how long it holds"
      : `its certificate expired at ${new Date(notAfter).toISOString()}`;
  }
}

/** Node writes a part a line, in the certificate's order; those of meshes have none. */
function subjectOf({ subject, raw }: DetailedPeerCertificate): string {
  if (subject === undefined || Object.keys(subject).length === 0) return "";
  return new X509Certificate(raw).subject.split("\n").reverse().join(",");
}
