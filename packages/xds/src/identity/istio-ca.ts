/**
 * Certificates of the authority of an Istio mesh: istiod's own, or whoever speaks its protocol (istio/api security/v1alpha1).
 * Whose name goes into them is the authority's say, by the token or the certificate that it is shown.
 */

import { X509Certificate } from "node:crypto";
import type { Clock, CredentialSource, GivenCredentials, Random } from "@inmesh/core";
import { sleep } from "@inmesh/core";
import { ISTIO } from "../generated/istio.js";
import { decodeMessage } from "../proto/decode.js";
import { encodeMessage } from "../proto/encode.js";
import { Schema } from "../proto/schema.js";
import { CallError, type CallServer, callOnce } from "./grpc-call.js";

/** A certificate signing request, and the key that it is for. */
export interface SigningRequest {
  /** PEM. */
  readonly csr: string;
  /** PEM. */
  readonly privateKey: string;
}

export interface IstioCaOptions {
  /** `host:port`. */
  readonly address: string;
  /** Read anew for each call: tokens and roots are replaced on disk. @throws what cannot be read */
  readonly access: () => Promise<IstioCaAccess>;
  /** Of which the authority signs workloads, for one that has several clusters. */
  readonly cluster: string;
  /** A key of its own for each certificate. */
  readonly makeRequest: () => SigningRequest;
  /** Asked for, in ms; the authority may refuse more than it gives. @default 24 h */
  readonly ttlMs?: number;
  readonly clock: Clock;
  readonly random: Random;
  /** @default a call of gRPC */
  readonly call?: typeof callOnce;
}

export interface IstioCaAccess {
  /** Absent: plain text. */
  readonly tls?: { readonly roots?: string; readonly serverName?: string };
  /** Absent: the certificate of before is shown, which an authority takes, too. */
  readonly token?: string;
  /** Shown where there is neither. PEM. */
  readonly shown?: { readonly certificateChain: string; readonly privateKey: string };
}

const PATH = "/istio.v1.auth.IstioCertificateService/CreateCertificate";
const DAY_MS = 86_400_000;
/** Of one call, in ms. */
const CALL_MS = 10_000;

/** Tries in all, and the waits between them, as Istio's own agent has them. */
const TRIES = 5;
const FIRST_WAIT_MS = 100;
const JITTER = 0.1;
/** CANCELLED, DEADLINE_EXCEEDED, RESOURCE_EXHAUSTED, ABORTED, INTERNAL, UNAVAILABLE: may be otherwise in a moment. */
const PASSING: ReadonlySet<number> = new Set([1, 4, 8, 10, 13, 14]);

const schema = new Schema(ISTIO);

export class IstioCaSource implements CredentialSource {
  readonly renewal = "asked";
  readonly description: string;
  readonly #options: IstioCaOptions;
  #last: GivenCredentials | undefined;

  constructor(options: IstioCaOptions) {
    this.#options = options;
    this.description = `the Istio CA at ${options.address}`;
  }

  async obtain(signal: AbortSignal): Promise<GivenCredentials> {
    const { clock, random } = this.#options;
    for (let tries = 1; ; tries++) {
      try {
        this.#last = await this.#ask(signal);
        return this.#last;
      } catch (error) {
        if (!(error instanceof CallError) || !PASSING.has(error.code) || tries === TRIES || signal.aborted) throw error;
        const waitMs = FIRST_WAIT_MS * 2 ** (tries - 1) * (1 + JITTER * (2 * random.next() - 1));
        await sleep(clock, waitMs, signal);
      }
    }
  }

  async #ask(signal: AbortSignal): Promise<GivenCredentials> {
    const { makeRequest, ttlMs = DAY_MS, clock, call = callOnce } = this.#options;
    const { csr, privateKey } = makeRequest();
    const message = { csr, validityDuration: Math.round(ttlMs / 1_000) };
    const request = encodeMessage(schema, "istio.v1.auth.IstioCertificateRequest", message);
    const answer = await call(await this.#server(), PATH, request, clock.wallTime() + CALL_MS, signal);
    const { certChain = [] } = decodeMessage(schema, "istio.v1.auth.IstioCertificateResponse", answer) as {
      certChain?: string[];
    };
    const roots = certChain.at(-1);
    if (roots === undefined || certChain.length < 2) {
      throw new Error(`the CA answered ${certChain.length} certificates, expected one, and its root`);
    }
    // With an authority of a company's own, the root is there as the end of the chain, too.
    const chain = certChain.slice(0, -1).filter((pem, index) => index === 0 || pem.trim() !== roots.trim());
    return { certificateChain: chain.map(lined).join(""), privateKey, roots: lined(roots) };
  }

  async #server(): Promise<CallServer> {
    const { address, access, cluster, clock } = this.#options;
    const { tls, token, shown } = await access();
    // What it vouches with now it also serves with, unless somebody said otherwise.
    const roots = tls?.roots ?? this.#last?.roots;
    return {
      address,
      headers: { clusterid: cluster, ...(token !== undefined && { authorization: `Bearer ${token}` }) },
      ...(tls && {
        tls: {
          ...(typeof roots === "string" && { roots }),
          ...(tls.serverName !== undefined && { serverName: tls.serverName }),
          ...(token === undefined && (this.#shown(clock) ?? shown)),
        },
      }),
    };
  }

  /** The certificate of before, while it holds. */
  #shown(clock: Clock): { readonly certificateChain: string; readonly privateKey: string } | undefined {
    if (this.#last === undefined) return undefined;
    const { certificateChain, privateKey } = this.#last;
    return isValid(certificateChain, clock) ? { certificateChain, privateKey } : undefined;
  }
}

function isValid(certificateChain: string, clock: Clock): boolean {
  return Date.parse(new X509Certificate(certificateChain).validTo) > clock.wallTime();
}

function lined(pem: string): string {
  return pem.endsWith("\n") ? pem : `${pem}\n`;
}
