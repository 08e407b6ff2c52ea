/**
 * The identity of one process: takes credentials from a source, looks at them before they replace the old ones, renews
 * them in time, and says early and more than once when that fails. Expiry goes by wall time, which may jump; timers wait
 * half a minute at most, so that a jump, or a machine that slept, is noticed.
 */

import type { CredentialSource } from "@inmesh/core";
import {
  type Clock,
  type Credentials,
  type Identity,
  type IdentityStatus,
  MeshError,
  messageOf,
  type PeerChain,
  type PeerVerdict,
  type Random,
  type Timer,
} from "@inmesh/core";
import { durationText } from "@inmesh/core/internal";
import { CLOCK_TOLERANCE_MS, checkCredentials } from "../source/checked-credentials.js";
import { checkLeaf, checkSvid } from "../x509/check-svid.js";
import { type Trust, trustOf } from "../x509/trust.js";
import { LOUD_AT, nextWarning, renewalTime, retryDelay, WARNED_AT, warnedSteps } from "./renewal.js";

export interface IdentityNotice {
  readonly severity: "info" | "warning" | "error";
  readonly message: string;
}

export interface WorkloadIdentityOptions {
  readonly source: CredentialSource;
  readonly clock: Clock;
  readonly random: Random;
  /** Told of every change, and of trouble once for each step that makes it worse. */
  readonly onNotice?: (notice: IdentityNotice) => void;
  /** Trust domains of policy: the roots of this process's own vouch for those that have none of their own. @default none */
  readonly aliases?: () => readonly string[];
}

/** MeshConfig's. */
const DEFAULT_TRUST_DOMAIN = "cluster.local";
/** Longest wait of a timer, in ms. */
const LOOK_MS = 30_000;
/** A source that has not answered by then counts as one that failed. In ms. */
const OBTAIN_MS = 60_000;

interface Waiter {
  readonly resolve: (credentials: Credentials) => void;
  readonly reject: (error: Error) => void;
  readonly timer: Timer;
}

export class WorkloadIdentity implements Identity {
  readonly #options: WorkloadIdentityOptions;
  readonly #listeners = new Set<(credentials: Credentials) => void>();
  readonly #waiters = new Set<Waiter>();
  readonly #ended = new AbortController();
  #current: Credentials | undefined;
  /** Wall ms from which the life of the current ones counts: authorities date them back. */
  #bornAt = 0;
  /** Wall ms. */
  #renewsAt = Number.POSITIVE_INFINITY;
  /** Clock ms of the next try after a failure. */
  #retriesAt = Number.POSITIVE_INFINITY;
  #failures = 0;
  /** Of the last failure; empty when the last try went well. */
  #reason = "";
  #said = "";
  /** How many of the shares at which trouble is told are told of. */
  #warned = 0;
  #saidExpired = false;
  #obtaining: Promise<void> | undefined;
  /** The source has changed while it was asked. */
  #again = false;
  #timer: Timer | undefined;
  /** Of the current bundles, parsed when it is first asked for; `name` says of which. */
  #trust: { readonly name: string; readonly roots: Trust } | undefined;
  #unwatch: (() => void) | undefined;
  #closing: Promise<void> | undefined;

  constructor(options: WorkloadIdentityOptions) {
    this.#options = options;
  }

  /** Asks for the first credentials; idempotent. */
  start(): void {
    if (this.#obtaining !== undefined || this.#current !== undefined || this.#ended.signal.aborted) return;
    this.#unwatch ??= this.#options.source.watch?.(() => this.refresh());
    this.refresh();
  }

  get current(): Credentials | undefined {
    return this.#current;
  }

  get status(): IdentityStatus {
    const { source } = this.#options;
    const state = this.#state();
    const reason = this.#reason || (state === "failing" || state === "expired" ? this.#unrenewed() : "");
    return {
      state,
      source: source.description,
      ...(reason !== "" && { reason }),
      ...(Number.isFinite(this.#renewsAt) && { renewsAt: this.#renewsAt }),
    };
  }

  ready(limitMs: number): Promise<Credentials> {
    if (this.#current !== undefined && this.#holds(this.#current)) return Promise.resolve(this.#current);
    return new Promise((resolve, reject) => {
      if (this.#ended.signal.aborted) return reject(unavailable("the mesh was closed"));
      const timer = this.#options.clock.hold(limitMs, () => {
        this.#waiters.delete(waiter);
        reject(unavailable(`none came within ${durationText(limitMs)}: ${this.#missing()}`));
      });
      const waiter: Waiter = { resolve, reject, timer };
      this.#waiters.add(waiter);
    });
  }

  subscribe(listener: (credentials: Credentials) => void): () => void {
    const own = (credentials: Credentials): void => listener(credentials); // twice the same is two subscriptions
    this.#listeners.add(own);
    return () => void this.#listeners.delete(own);
  }

  verifyPeer(chain: PeerChain, fresh = false): PeerVerdict {
    const { clock, source, aliases = () => [] } = this.#options;
    const current = this.#current;
    if (current === undefined) return { refusal: "this process has no roots yet to know others by" };
    const domains = [current.self.trustDomain, ...current.bundles.keys(), ...aliases()];
    const name = `${current.generation} ${domains.join(" ")}`;
    if (this.#trust?.name !== name)
      this.#trust = { name, roots: trustOf(withOwnChain(current), [...new Set(domains)]) };
    const now = clock.wallTime();
    const { roots } = this.#trust;
    const whole = checkSvid(chain, roots, now);
    const [leaf] = chain;
    // Node 24 shows a server the leaf and nothing of the way above it. Where all roots are of one domain, TLS has found
    // one of them: there is no other that it could have been.
    const unseen = whole.peer === undefined && fresh && chain.length === 1 && current.bundles.size === 1;
    const verdict = unseen && leaf !== undefined ? checkLeaf(leaf, roots, now) : whole;
    if (verdict.peer === undefined || source.nameOf === undefined) return verdict;
    return { peer: source.nameOf(verdict.peer, aliases()[0] ?? DEFAULT_TRUST_DOMAIN) ?? verdict.peer };
  }

  /** Asks the source now, whatever the time. */
  refresh(): void {
    if (this.#ended.signal.aborted) return;
    if (this.#obtaining !== undefined) {
      this.#again = true;
      return;
    }
    this.#obtaining = this.#obtain().finally(() => {
      this.#obtaining = undefined;
      if (this.#again) {
        this.#again = false;
        this.refresh();
      } else this.#arm();
    });
  }

  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async #close(): Promise<void> {
    this.#ended.abort();
    this.#timer?.cancel();
    this.#unwatch?.();
    this.#listeners.clear();
    for (const { timer, reject } of this.#waiters) {
      timer.cancel();
      reject(unavailable("the mesh was closed"));
    }
    this.#waiters.clear();
    await this.#options.source.close?.();
  }

  async #obtain(): Promise<void> {
    const { clock, source } = this.#options;
    const controller = new AbortController();
    const abort = (): void => controller.abort();
    this.#ended.signal.addEventListener("abort", abort);
    const limit = clock.after(OBTAIN_MS, abort);
    const gaveUp = new Promise<never>((_, reject) => {
      controller.signal.addEventListener("abort", () =>
        reject(new Error(`${source.description} has not answered in ${durationText(OBTAIN_MS)}`)),
      );
    });
    gaveUp.catch(() => {});
    try {
      const given = await Promise.race([source.obtain(controller.signal), gaveUp]);
      if (this.#ended.signal.aborted) return;
      this.#adopt(checkCredentials(given, clock.wallTime()));
    } catch (error) {
      if (!this.#ended.signal.aborted) this.#fail(messageOf(error));
    } finally {
      limit.cancel();
      this.#ended.signal.removeEventListener("abort", abort);
    }
  }

  #adopt(next: Omit<Credentials, "generation">): void {
    const { clock, random, source } = this.#options;
    const old = this.#current;
    const wallMs = clock.wallTime();
    const same = old !== undefined && isSame(old, next);
    const had = this.#failures > 0 || this.#warned > 0;
    this.#failures = 0;
    this.#reason = "";
    this.#retriesAt = Number.POSITIVE_INFINITY;
    if (source.renewal === "asked") this.#renewsAt = renewalTime(wallMs, next.notAfter, random);
    if (same) return;
    this.#bornAt = source.renewal === "asked" ? wallMs : next.notBefore;
    this.#warned = 0;
    this.#said = "";
    this.#saidExpired = false;
    this.#current = { ...next, generation: (old?.generation ?? 0) + 1 };
    const holds = `${next.self.id}, until ${at(next.notAfter)}, from ${source.description}`;
    if (old === undefined) this.#notice("info", `this process is ${holds}`);
    else if (old.self.id !== next.self.id) {
      this.#notice(
        "warning",
        `this process was ${old.self.id} and is now ${holds}: callers may know it as the former only`,
      );
    } else
      this.#notice(had ? "warning" : "info", `${had ? "the certificate is renewed after all" : "renewed"}: ${holds}`);
    this.#tell(this.#current);
  }

  #tell(credentials: Credentials): void {
    for (const waiter of this.#waiters) {
      waiter.timer.cancel();
      waiter.resolve(credentials);
    }
    this.#waiters.clear();
    for (const listener of [...this.#listeners]) {
      try {
        listener(credentials);
      } catch (error) {
        this.#notice("error", `a part of the mesh did not take the new certificate: ${String(error)}`);
      }
    }
  }

  #fail(reason: string): void {
    const { clock, random } = this.#options;
    this.#failures += 1;
    this.#reason = reason;
    const leftMs = this.#current === undefined ? undefined : this.#current.notAfter - clock.wallTime();
    this.#retriesAt = clock.now() + retryDelay(this.#failures, leftMs, random);
    if (this.#said === reason) return;
    this.#said = reason;
    if (this.#current === undefined) this.#notice("warning", `this process has no certificate yet: ${reason}`);
    else if (this.#holds(this.#current)) this.#notice("warning", this.#trouble());
  }

  /** What the time of day makes of it. */
  #look(): void {
    const wallMs = this.#options.clock.wallTime();
    const current = this.#current;
    if (current !== undefined) this.#warn(current, wallMs);
    const jumpedBack = current !== undefined && wallMs + CLOCK_TOLERANCE_MS < current.notBefore;
    const due =
      this.#failures > 0 ? this.#options.clock.now() >= this.#retriesAt : wallMs >= this.#renewsAt || jumpedBack;
    if (due) this.refresh();
    else this.#arm();
  }

  #warn({ notAfter }: Credentials, wallMs: number): void {
    if (wallMs >= notAfter) {
      if (!this.#saidExpired) this.#notice("error", `the certificate of this process has expired: ${this.#missing()}`);
      this.#saidExpired = true;
      return;
    }
    const steps = warnedSteps(wallMs, this.#bornAt, notAfter);
    if (steps <= this.#warned) return;
    this.#warned = steps;
    const loud = WARNED_AT[steps - 1]! <= LOUD_AT; // one of them, as just counted
    this.#notice(loud ? "error" : "warning", this.#trouble());
  }

  #trouble(): string {
    const { notAfter } = this.#current!; // only asked while there are some
    const left = durationText(Math.max(0, notAfter - this.#options.clock.wallTime()));
    return `the certificate of this process is not renewed and expires in ${left}, at ${at(notAfter)}: ${this.#reason || this.#unrenewed()}`;
  }

  #unrenewed(): string {
    const { description } = this.#options.source;
    return `${description} has given no new one`;
  }

  /** Why there is nothing that holds. */
  #missing(): string {
    const current = this.#current;
    const why =
      this.#reason || (current === undefined ? `waiting for ${this.#options.source.description}` : this.#unrenewed());
    return current === undefined ? why : `its certificate expired at ${at(current.notAfter)}: ${why}`;
  }

  #state(): IdentityStatus["state"] {
    const current = this.#current;
    if (current === undefined) return "starting";
    const wallMs = this.#options.clock.wallTime();
    if (wallMs >= current.notAfter) return "expired";
    const late = warnedSteps(wallMs, this.#bornAt, current.notAfter) > 0;
    return this.#failures > 0 || late ? "failing" : "ready";
  }

  #holds({ notAfter }: Credentials): boolean {
    return this.#options.clock.wallTime() < notAfter;
  }

  #arm(): void {
    this.#timer?.cancel();
    if (this.#ended.signal.aborted) return;
    const { clock } = this.#options;
    const wallMs = clock.wallTime();
    const waits = [LOOK_MS, this.#failures > 0 ? this.#retriesAt - clock.now() : this.#renewsAt - wallMs];
    const current = this.#current;
    if (current !== undefined && !this.#saidExpired) {
      waits.push(nextWarning(this.#warned, this.#bornAt, current.notAfter) - wallMs);
    }
    this.#timer = clock.after(Math.max(1, Math.min(...waits)), () => this.#look());
  }

  #notice(severity: IdentityNotice["severity"], message: string): void {
    this.#options.onNotice?.({ severity, message });
  }
}

/** Generations differ in something that counts. */
function isSame(one: Omit<Credentials, "generation">, other: Omit<Credentials, "generation">): boolean {
  const roots = ({ bundles }: Omit<Credentials, "generation">): string => JSON.stringify([...bundles]);
  return (
    one.certificateChain === other.certificateChain &&
    one.privateKey === other.privateKey &&
    roots(one) === roots(other)
  );
}

function unavailable(why: string): MeshError {
  return new MeshError("TLS_UNAVAILABLE", `this process has no certificate that holds: ${why}`);
}

function at(wallMs: number): string {
  return new Date(wallMs).toISOString();
}

/** Issuers of the own certificate lead from others' to a root, too, where these do not show their way. */
function withOwnChain({ self, certificateChain, bundles }: Credentials): ReadonlyMap<string, readonly string[]> {
  const [, ...issuers] = certificateChain.match(CERTIFICATE) ?? [];
  if (issuers.length === 0) return bundles;
  return new Map(bundles).set(self.trustDomain, [...(bundles.get(self.trustDomain) ?? []), ...issuers]);
}

const CERTIFICATE = /-----BEGIN CERTIFICATE-----[^-]*-----END CERTIFICATE-----/g;
