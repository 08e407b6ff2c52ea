/**
 * The identity of this process, there from the start, because servers and connections are made before anything is
 * loaded, and filled once its source is open.
 */

import {
  type Clock,
  type Credentials,
  type Identity,
  type IdentityStatus,
  MeshError,
  type PeerChain,
  type PeerVerdict,
  sleep,
} from "@inmesh/core";

const NOT_YET = "the mesh has not started yet";

export class ProcessIdentity implements Identity {
  readonly #clock: Clock;
  readonly #opened: Promise<void>;
  #open: () => void = () => {};
  #inner: Identity | undefined;
  #refresh: () => void = () => {};
  /** Trust domains of policy for which new credentials were asked, and that differ all the same. */
  #asked = "";
  #judged = "";
  /** Why there will be none. */
  #failure = "";
  #closing: Promise<void> | undefined;
  /** With what ends it, once there is something to end. */
  readonly #listeners = new Map<(credentials: Credentials) => void, (() => void) | undefined>();

  constructor(clock: Clock) {
    this.#clock = clock;
    this.#opened = new Promise((resolve) => {
      this.#open = resolve;
    });
  }

  /** What it is from now on: whoever waits, or has subscribed, goes on with that. Nothing may have been obtained yet. */
  fill(inner: Identity, refresh: () => void): void {
    if (this.#closing !== undefined) return void inner.close();
    this.#inner = inner;
    this.#refresh = refresh;
    for (const listener of this.#listeners.keys()) this.#listeners.set(listener, inner.subscribe(listener));
    this.#open();
  }

  /**
   * Policy has come, or changed.
   * @param trustDomains its own one, then its aliases
   * @returns what should be said of it; undefined where there is nothing
   */
  underPolicy(trustDomains: readonly string[]): string | undefined {
    const own = this.#inner?.current?.self;
    const [trustDomain = ""] = trustDomains;
    if (own === undefined || trustDomains.includes(own.trustDomain) || this.#judged === trustDomain) return undefined;
    if (this.#asked !== trustDomain) {
      this.#asked = trustDomain; // its authority may know the other one, too
      this.#refresh();
      return undefined;
    }
    this.#judged = trustDomain;
    return `the certificate of this process is of trust domain ${own.trustDomain}, and MeshConfig says ${trustDomain}: callers expect that one. Set trustDomain, or trustDomainAliases, to ${own.trustDomain}; or let the CA name ${trustDomain}, too`;
  }

  /** There will be none. */
  fail(reason: string): void {
    this.#failure ||= reason;
    this.#open();
  }

  get current(): Credentials | undefined {
    return this.#inner?.current;
  }

  get status(): IdentityStatus {
    return this.#inner?.status ?? { state: "starting", source: "", reason: this.#failure || NOT_YET };
  }

  async ready(limitMs: number): Promise<Credentials> {
    const began = this.#clock.now();
    if (this.#inner === undefined && this.#failure === "") {
      const stop = new AbortController();
      await Promise.race([this.#opened, sleep(this.#clock, limitMs, stop.signal).catch(() => {})]);
      stop.abort();
    }
    if (this.#inner !== undefined) return this.#inner.ready(Math.max(0, limitMs - (this.#clock.now() - began)));
    throw new MeshError("TLS_UNAVAILABLE", `this process has no certificate: ${this.#failure || NOT_YET}`);
  }

  subscribe(listener: (credentials: Credentials) => void): () => void {
    const own = (credentials: Credentials): void => listener(credentials); // twice the same is two subscriptions
    this.#listeners.set(own, this.#inner?.subscribe(own));
    return () => {
      this.#listeners.get(own)?.();
      this.#listeners.delete(own);
    };
  }

  verifyPeer(chain: PeerChain, fresh = false): PeerVerdict {
    return this.#inner?.verifyPeer(chain, fresh) ?? { refusal: "this process has no roots yet to know others by" };
  }

  close(): Promise<void> {
    this.fail("the mesh was closed");
    this.#closing ??= this.#inner?.close() ?? Promise.resolve();
    return this.#closing;
  }
}
