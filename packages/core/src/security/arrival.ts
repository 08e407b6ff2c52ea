/** A request that has just arrived, before anybody has looked at it: what a server adapter tells of it. */

import type { AccessedHttp, AccessRequest, Claims, PeerIdentity } from "@inmesh/model";
import type { InboundContext } from "../call/context.js";
import { clientAddress, plainAddress } from "./client-address.js";
import type { ReadTarget, TargetParts } from "./request-target.js";

/** Read when they are asked for: most rules ask for few of them. */
export interface Arrival extends TargetParts {
  /** Values of a header by lower-case name, as they came: a string when there is one line, a list for repeated lines. */
  header(name: string): string | readonly string[] | undefined;
  /** By the certificate of the connection; undefined: plaintext, or nobody's. */
  readonly peer: PeerIdentity | undefined;
  /** Of the socket; undefined where it has none. */
  readonly remoteAddress: string | undefined;
  readonly localAddress: string | undefined;
  readonly localPort: number | undefined;
  /** Name that the caller asked for in its TLS handshake; empty for none. */
  readonly sni: string;
  /** All lines, flat as they came. */
  readonly lines: readonly string[];
  /** For calls made on its behalf; absent: for nobody's. */
  readonly context?: InboundContext | undefined;
  /** The first `maxBytes` of its body, which stays for the application. */
  body(maxBytes: number): Promise<BodyStart>;
}

/** The beginning of a request's body, or all of it. */
export interface BodyStart {
  readonly bytes: Uint8Array;
  /** There is no more of it. */
  readonly complete: boolean;
}

/** The same, as rules look at it. */
export class ArrivedRequest implements AccessRequest, AccessedHttp {
  claims: Claims | undefined = undefined;
  readonly path: string;
  readonly target: string;
  readonly authority: string;
  readonly #arrival: Arrival;
  readonly #trustedProxies: number;
  #sourceIp: string | undefined = undefined;
  #remoteIp: string | undefined = undefined;

  constructor(arrival: Arrival, { path, target, authority }: ReadTarget, trustedProxies: number) {
    this.#arrival = arrival;
    this.path = path;
    this.target = target;
    this.authority = authority;
    this.#trustedProxies = trustedProxies;
  }

  get http(): AccessedHttp {
    return this;
  }

  get method(): string {
    return this.#arrival.method;
  }

  header(name: string): string | readonly string[] | undefined {
    return this.#arrival.header(name);
  }

  get peer(): PeerIdentity | undefined {
    return this.#arrival.peer;
  }

  get sourceIp(): string {
    this.#sourceIp ??= plainAddress(this.#arrival.remoteAddress);
    return this.#sourceIp;
  }

  get remoteIp(): string {
    this.#remoteIp ??= clientAddress(
      this.#trustedProxies > 0 ? this.#arrival.header("x-forwarded-for") : undefined,
      this.sourceIp,
      this.#trustedProxies,
    );
    return this.#remoteIp;
  }

  get destinationIp(): string {
    return plainAddress(this.#arrival.localAddress);
  }

  get port(): number {
    return this.#arrival.localPort ?? 0;
  }

  get sni(): string {
    return this.#arrival.sni;
  }
}
