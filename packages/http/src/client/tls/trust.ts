/**
 * Whom the connections of one policy trust, as OpenSSL wants it. Files are looked at before each new connection and by
 * the transport's sweep, and read when they changed; a file that turns bad leaves in force what was good (pitfalls T2).
 */

import { createSecureContext, type SecureContext } from "node:tls";
import type { ClientTls } from "@inmesh/model";
import { type PemFile, pemBlocks, readPem, stampOf } from "./pem-file.js";

export class Trust {
  /** Of the context, 0 before the first and greater for each later one: what an older one verified is to be verified anew. */
  generation = 0;
  #context: SecureContext | undefined;
  #failure: TrustFailure | undefined;
  readonly #files: readonly PemFile[];
  readonly #notice: (failure: TrustFailure) => void;
  readonly #nextGeneration: () => number;
  /** Of the files as they were read last. */
  #stamps: string | undefined;
  #checking: Promise<void> | undefined;
  /** Pools that use it; `Trusts` counts. */
  users = 0;

  /**
   * @param notice told when a file turned bad while it was in use
   * @param nextGeneration never the same twice in one mesh
   */
  constructor(files: readonly PemFile[], notice: (failure: TrustFailure) => void, nextGeneration: () => number) {
    this.#files = files;
    this.#notice = notice;
    this.#nextGeneration = nextGeneration;
  }

  /** Undefined while no file was ever good: see `failure`. */
  get context(): SecureContext | undefined {
    return this.#context;
  }

  /** Why the files as they are now cannot be used. */
  get failure(): TrustFailure | undefined {
    return this.#failure;
  }

  /** Looks whether a file changed. One look at a time, however many connections wait for it; never rejects. */
  check(): Promise<void> {
    this.#checking ??= this.#check().finally(() => {
      this.#checking = undefined;
    });
    return this.#checking;
  }

  async #check(): Promise<void> {
    const before = this.#stamps;
    this.#stamps = undefined;
    let file: PemFile | undefined;
    try {
      const stamps: string[] = [];
      for (file of this.#files) stamps.push(await stampOf(file));
      const stamp = stamps.join(" ");
      if (stamp === before) {
        this.#stamps = before; // good or bad, they are what they were
        return;
      }
      const texts: string[] = [];
      for (file of this.#files) texts.push(await readPem(file));
      this.#stamps = stamp; // what could be read needs no second look until it changes, even if it makes no sense
      const blocks: Partial<Record<PemFile["field"], readonly string[]>> = {};
      for (file of this.#files) blocks[file.field] = pemBlocks(texts.shift() ?? "", file);
      this.#context = contextOf(blocks.caCertificates, blocks.caCrl);
      this.generation = this.#nextGeneration();
      this.#failure = undefined;
    } catch (error) {
      this.#fail({ file, why: error instanceof Error ? error.message : String(error) });
    }
  }

  #fail(failure: TrustFailure): void {
    const known = this.#failure;
    this.#failure = failure;
    if (known?.why !== failure.why && this.#context !== undefined) this.#notice(failure);
  }
}

export interface TrustFailure {
  /** Undefined where no single file is to blame. */
  readonly file: PemFile | undefined;
  /** `does not exist`. */
  readonly why: string;
}

/** One for all clusters that name the same files: a context of its own for each endpoint would cost 2 ms and 0.3 MB. */
export class Trusts {
  readonly #byFiles = new Map<string, Trust>();
  #generations = 0;
  readonly #notice: (message: string) => void;

  constructor(notice: (message: string) => void) {
    this.#notice = notice;
  }

  /** To be given back by `leave`. */
  use(tls: ClientTls): Trust {
    const files = filesOf(tls);
    const key = JSON.stringify(files);
    let trust = this.#byFiles.get(key);
    if (trust === undefined) {
      const notice = ({ file, why }: TrustFailure): void =>
        this.#notice(
          `${file?.path ?? "a file of a TLS policy"} ${why}. New connections go on with what it held before, until this process ends`,
        );
      trust = new Trust(files, notice, () => ++this.#generations);
      this.#byFiles.set(key, trust);
    }
    trust.users += 1;
    return trust;
  }

  leave(trust: Trust): void {
    trust.users -= 1;
    if (trust.users > 0) return;
    for (const [key, each] of this.#byFiles) if (each === trust) this.#byFiles.delete(key);
  }
}

/** Nothing is read for a server that nobody verifies. */
function filesOf({ caCertificates, caCrl, insecureSkipVerify }: ClientTls): readonly PemFile[] {
  if (insecureSkipVerify) return [];
  return [
    ...(caCertificates === "" ? [] : [{ path: caCertificates, field: "caCertificates" } as const]),
    ...(caCrl === "" ? [] : [{ path: caCrl, field: "caCrl" } as const]),
  ];
}

/** @param ca undefined: the roots of Node, NODE_EXTRA_CA_CERTS included. TLS 1.2 and 1.3 are spoken, as by Istio. @throws */
function contextOf(ca: readonly string[] | undefined, crl: readonly string[] | undefined): SecureContext {
  const versions = { minVersion: "TLSv1.2", maxVersion: "TLSv1.3" } as const;
  try {
    return createSecureContext({ ...versions, ...(ca && { ca: [...ca] }), ...(crl && { crl: [...crl] }) });
  } catch (error) {
    throw new Error(`holds what OpenSSL cannot use: ${error instanceof Error ? error.message : String(error)}`);
  }
}
