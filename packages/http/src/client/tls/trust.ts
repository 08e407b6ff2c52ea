/** Whom the connections of one policy trust, and what this process shows of itself on them. */

import type { DetailedPeerCertificate, SecureContext } from "node:tls";
import type { Clock, Identity } from "@inmesh/core";
import { isMeshTls } from "@inmesh/core/internal";
import type { ClientTls } from "@inmesh/model";
import { FileTrust, filesOf } from "./file-trust.js";
import { IdentityTrust } from "./identity-trust.js";
import type { PemFile } from "./pem-file.js";
import type { Verified } from "./secured-socket.js";

export interface Trust {
  /** Of the context, 0 before the first and greater for each later one: tickets of another are not used. */
  readonly generation: number;
  /** Undefined while there is nothing to connect with: see `failure`. */
  readonly context: SecureContext | undefined;
  /** Why there is no context, or why it is an older one than it should be. */
  readonly failure: TrustFailure | undefined;
  /** SPIFFE id, or file of the certificate, that is shown to servers that ask; empty for none. */
  readonly shows: string;
  /** Wall time at which that expires; Infinity for none. */
  readonly validTo: number;
  /** Connections that no longer hold are given up within this time, in ms, each at a moment of its own. */
  readonly graceMs: number;
  /**
   * Looks whether anything changed. One look at a time, however many connections wait for it; never rejects.
   * @param limitMs to wait for credentials that are not there; 0 looks only
   */
  check(limitMs: number): Promise<void>;
  /** The same as far as it costs nothing. */
  look(): void;
  /** Of a server whose certificates OpenSSL found good by the context. */
  judge(certificate: DetailedPeerCertificate, asked: AskedPeer): Verdict;
  /** Whether it would still be verified. */
  holds(verified: Verified): boolean;
  /** Pools that use it; `Trusts` counts. */
  users: number;
}

export interface AskedPeer {
  readonly tls: ClientTls;
  readonly serverName: string;
}

export type Verdict =
  | { readonly verified: Omit<Verified, "generation"> }
  | { readonly verified?: undefined; readonly error: Error };

export interface TrustFailure {
  /** Undefined where no single file is to blame. */
  readonly file: PemFile | undefined;
  /** `does not exist`. */
  readonly why: string;
}

export interface TrustsOptions {
  readonly clock: Clock;
  readonly identity: Identity | undefined;
  readonly notice: (message: string) => void;
}

/** One for all clusters that name the same files: a context of its own for each endpoint would cost 2 ms and 0.3 MB. */
export class Trusts {
  readonly #byFiles = new Map<string, Trust>();
  #ofMesh: Trust | undefined;
  #generations = 0;
  readonly #options: TrustsOptions;
  /** Never the same twice in one mesh. */
  readonly #nextGeneration = (): number => ++this.#generations;

  constructor(options: TrustsOptions) {
    this.#options = options;
  }

  /** To be given back by `leave`. */
  use(tls: ClientTls): Trust {
    const trust = isMeshTls(tls) ? this.#mesh() : this.#files(tls);
    trust.users += 1;
    return trust;
  }

  leave(trust: Trust): void {
    trust.users -= 1;
    if (trust.users > 0) return;
    for (const [key, each] of this.#byFiles) if (each === trust) this.#byFiles.delete(key);
  }

  #mesh(): Trust {
    const { identity, clock } = this.#options;
    this.#ofMesh ??= new IdentityTrust(identity, clock, this.#nextGeneration);
    return this.#ofMesh;
  }

  #files(tls: ClientTls): Trust {
    const files = filesOf(tls);
    const key = JSON.stringify(files);
    let trust = this.#byFiles.get(key);
    if (trust === undefined) {
      const notice = ({ file, why }: TrustFailure): void =>
        this.#options.notice(
          `${file?.path ?? "a file of a TLS policy"} ${why}. New connections go on with what it held before, until this process ends`,
        );
      trust = new FileTrust(files, notice, this.#nextGeneration);
      this.#byFiles.set(key, trust);
    }
    return trust;
  }
}
