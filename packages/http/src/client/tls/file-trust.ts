/**
 * Trust and client certificate from files, as OpenSSL wants them. They are looked at before each new connection and by the
 * transport's sweep, and read when they changed; a file that turns bad, and a key that is not its certificate's, as between
 * the two halves of a renewal, leave in force what was good (pitfalls T2).
 */

import { X509Certificate } from "node:crypto";
import { createSecureContext, type DetailedPeerCertificate, type SecureContext } from "node:tls";
import { messageOf } from "@inmesh/core";
import type { ClientTls } from "@inmesh/model";
import { wrongPeer } from "./peer-name.js";
import { type PemFile, pemBlocks, readPem, stampOf } from "./pem-file.js";
import type { Verified } from "./secured-socket.js";
import type { AskedPeer, Trust, TrustFailure, Verdict } from "./trust.js";

type Blocks = Partial<Record<PemFile["field"], readonly string[]>>;

export class FileTrust implements Trust {
  generation = 0;
  readonly shows: string;
  validTo = Number.POSITIVE_INFINITY;
  readonly graceMs = 0;
  users = 0;
  #context: SecureContext | undefined;
  #failure: TrustFailure | undefined;
  readonly #files: readonly PemFile[];
  readonly #notice: (failure: TrustFailure) => void;
  readonly #nextGeneration: () => number;
  /** Of the files as they were read last. */
  #stamps: string | undefined;
  /** Whom it trusts, as the files said it last, and the first generation since. */
  #authorities: string | undefined;
  #since = 0;
  #checking: Promise<void> | undefined;

  /**
   * @param notice told when a file turned bad while it was in use
   * @param nextGeneration never the same twice in one mesh
   */
  constructor(files: readonly PemFile[], notice: (failure: TrustFailure) => void, nextGeneration: () => number) {
    this.#files = files;
    this.shows = files.find(({ field }) => field === "clientCertificate")?.path ?? "";
    this.#notice = notice;
    this.#nextGeneration = nextGeneration;
  }

  get context(): SecureContext | undefined {
    return this.#context;
  }

  get failure(): TrustFailure | undefined {
    return this.#failure;
  }

  check(): Promise<void> {
    this.#checking ??= this.#check().finally(() => {
      this.#checking = undefined;
    });
    return this.#checking;
  }

  look(): void {}

  judge({ raw, valid_to }: DetailedPeerCertificate, { tls, serverName }: AskedPeer): Verdict {
    const error = tls.insecureSkipVerify ? undefined : wrongPeer(raw, tls, serverName);
    if (error !== undefined) return { error };
    return { verified: { peer: "", root: "", validTo: Date.parse(valid_to) } };
  }

  /** Another certificate of our own says nothing about the servers. */
  holds({ generation }: Verified): boolean {
    return generation >= this.#since;
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
      const blocks: Blocks = {};
      for (file of this.#files) blocks[file.field] = pemBlocks(texts.shift() ?? "", file);
      file = this.#files.at(-1); // the private key where there is one, which may not be its certificate's
      this.#take(blocks);
    } catch (error) {
      this.#fail({ file, why: messageOf(error) });
    }
  }

  #take(blocks: Blocks): void {
    this.#context = contextOf(blocks);
    this.generation = this.#nextGeneration();
    this.#failure = undefined;
    const [own] = blocks.clientCertificate ?? [];
    if (own !== undefined) this.validTo = Date.parse(new X509Certificate(own).validTo);
    const authorities = JSON.stringify([blocks.caCertificates, blocks.caCrl]);
    if (authorities !== this.#authorities) this.#since = this.generation;
    this.#authorities = authorities;
  }

  #fail(failure: TrustFailure): void {
    const known = this.#failure;
    this.#failure = failure;
    if (known?.why !== failure.why && this.#context !== undefined) this.#notice(failure);
  }
}

/** No authority is read for a server that nobody verifies. */
export function filesOf(tls: ClientTls): readonly PemFile[] {
  const { mode, insecureSkipVerify } = tls;
  const fields: readonly PemFile["field"][] = [
    ...(insecureSkipVerify ? [] : (["caCertificates", "caCrl"] as const)),
    ...(mode === "MUTUAL" ? (["clientCertificate", "privateKey"] as const) : []),
  ];
  return fields.flatMap((field) => (tls[field] === "" ? [] : [{ path: tls[field], field }]));
}

/** Without caCertificates: the roots of Node, NODE_EXTRA_CA_CERTS included. TLS 1.2 and 1.3 are spoken, as by Istio. @throws */
function contextOf({ caCertificates: ca, caCrl: crl, clientCertificate, privateKey }: Blocks): SecureContext {
  const versions = { minVersion: "TLSv1.2", maxVersion: "TLSv1.3" } as const;
  const own = clientCertificate && privateKey && { cert: clientCertificate.join("\n"), key: privateKey[0] };
  try {
    return createSecureContext({ ...versions, ...(ca && { ca: [...ca] }), ...(crl && { crl: [...crl] }), ...own });
  } catch (error) {
    const said = messageOf(error);
    if (/key values mismatch/i.test(said)) throw new Error("is not the key of the certificate beside it");
    throw new Error(`holds what OpenSSL cannot use: ${said}`);
  }
}
