/**
 * Who may come in. Stands before everything else that policy asks of a request that arrives, and judges in Envoy's order:
 * one spelling of the path, then CUSTOM, tokens, DENY and ALLOW. Answers at once unless somebody has to be asked. It is in
 * force in every mode of the mesh: switching policy off opens no door.
 */

import type { AccessDecision, AccessRequest, AccessRule, SecurityPolicy, Snapshot } from "@inmesh/model";
import type { Rejection } from "../admission/rejection.js";
import { messageOf } from "../errors.js";
import type { Clock } from "../runtime/clock.js";
import { AccessCounts, type GuardReading } from "./access-counts.js";
import { type Arrival, ArrivedRequest } from "./arrival.js";
import type { InvalidToken, TokenVerdict, TokenVerifier, ValidToken } from "./authenticate.js";
import type { ExternalCheck, ExternalPass } from "./external-check.js";
import type { Passage } from "./passage.js";
import { ACCESS_DENIED, NO_POLICY_YET, REQUEST_INVALID, tokenRejection } from "./rejections.js";
import { type ReadTarget, readTarget } from "./request-target.js";
import { withoutTokens } from "./without-tokens.js";

export interface GuardOptions {
  readonly clock: Clock;
  /** Resolves when there is policy; absent: requests do not wait for it. Rejects when it takes too long. */
  readonly policyReady?: (() => Promise<unknown>) | undefined;
  /** Judges, counts and tells, and lets everything pass as it came. @default false */
  readonly onlyObserves?: boolean;
  /** Told when requests begin to be denied by a rule, and when that is over. Never shown to callers. */
  readonly onDenied: (message: string) => void;
}

/** Undefined: it passes as it came. */
export type GuardVerdict = Passage | Rejection | undefined;

const NONE: readonly string[] = [];
/** A path that no rule is about. */
const ELSEWHERE = "/.inmesh-nowhere/7d0c5f0e";
/** A browser sends it without tokens, and does nothing by it (policy-semantics §4.3). */
const PREFLIGHT = "OPTIONS";

const CASE_EVADES =
  'the Express application of this process routes paths without regard to case, and rules of AuthorizationPolicies compare them as they are written: /ADMIN gets around a DENY of /admin. Annotate a policy that means the process with inmesh.dev/ignore-path-case: "true", or call app.enable("case sensitive routing")';

function unverifiable(reason: string): InvalidToken {
  return { kind: "invalid", status: 401, message: "Jwt verification fails", reason };
}

export class Guard {
  #tokens: TokenVerifier | undefined = undefined;
  /** Asked where a CUSTOM rule matches. Without one it is denied. */
  external: ExternalCheck | undefined = undefined;
  readonly #policyReady: (() => Promise<unknown>) | undefined;
  readonly #onlyObserves: boolean;
  readonly #say: (message: string) => void;
  readonly #counts: AccessCounts;
  #policy: SecurityPolicy | undefined;
  #active: boolean;
  #foldsCase = false;
  #saidOfCase = false;
  /** Names of headers that only the mesh may set, lower-case. */
  #claimHeaders: readonly string[] = NONE;

  constructor({ clock, policyReady, onlyObserves = false, onDenied }: GuardOptions) {
    this.#policyReady = onlyObserves ? undefined : policyReady;
    this.#onlyObserves = onlyObserves;
    this.#say = onDenied;
    this.#counts = new AccessCounts(clock, onDenied);
    this.#active = this.#policyReady !== undefined;
  }

  /** Everything passes, whatever is found. */
  get onlyObserves(): boolean {
    return this.#onlyObserves;
  }

  /** False: every request passes, and `enter` need not be asked. */
  get active(): boolean {
    return this.#active;
  }

  /** Asked where RequestAuthentications are in force. Without one no request passes them. */
  set tokens(verifier: TokenVerifier | undefined) {
    this.#tokens = verifier;
    verifier?.prepare(this.#policy?.jwt ?? []);
  }

  get tokens(): TokenVerifier | undefined {
    return this.#tokens;
  }

  update({ security }: Snapshot): void {
    if (this.#policy === security) return;
    const before = this.#policy;
    this.#policy = security;
    if (before?.jwt !== security.jwt) this.#tokens?.prepare(security.jwt);
    this.#counts.settle();
    this.#sayOfCase();
    this.#active = security.access.active || security.jwt.length > 0 || security.normalises;
    this.#claimHeaders = security.jwt.flatMap(({ payloadHeader, claimHeaders }) => [
      ...(payloadHeader === "" ? [] : [payloadHeader.toLowerCase()]),
      ...claimHeaders.map(({ header }) => header.toLowerCase()),
    ]);
  }

  /** The application routes paths without regard to case, as rules do only when policy says so. */
  foldsCase(): void {
    this.#foldsCase = true;
    this.#sayOfCase();
  }

  #sayOfCase(): void {
    const evaded = this.#foldsCase && this.#policy?.access.comparesPathCase === true;
    if (evaded && !this.#saidOfCase) this.#say(CASE_EVADES);
    this.#saidOfCase = evaded;
  }

  enter(arrival: Arrival, now: number): GuardVerdict | Promise<GuardVerdict> {
    const policy = this.#policy;
    if (policy === undefined) return this.#waitForPolicy(arrival, now);
    const verdict = this.#judge(policy, arrival, now);
    if (verdict instanceof Promise) {
      // Nobody stands behind a promise: what nobody foresaw denies, and does not end the process.
      return verdict.then(
        (found) => (this.#onlyObserves ? undefined : found),
        () => ACCESS_DENIED,
      );
    }
    return this.#onlyObserves ? undefined : verdict;
  }

  /**
   * Whether a connection may go on that is no HTTP. Nobody is asked besides: CUSTOM rules that match deny (policy-semantics §4.7).
   * @param connection without `http`
   */
  admits(connection: AccessRequest, now: number): boolean {
    const policy = this.#policy;
    if (policy === undefined) return this.#policyReady === undefined;
    const { access } = policy;
    if (!access.active) return true;
    const custom = access.asksProviders ? access.custom(connection) : undefined;
    if (custom !== undefined) {
      const reason = custom.refusal || `connections of TCP are not shown to provider "${custom.provider}"`;
      this.#counts.denied(custom.rule, reason, connection, now);
      return this.#onlyObserves;
    }
    const decision = access.decide(connection);
    this.#counts.decided(decision, connection, now);
    return decision.allowed || this.#onlyObserves;
  }

  /**
   * Whether an ALLOW rule names what is asked for, for views of the process that are closed unless policy opens them. A rule that
   * lets its caller go anywhere says nothing of them, nor do tokens, which are not looked at.
   */
  names(arrival: Arrival): boolean {
    const policy = this.#policy;
    if (policy === undefined || arrival.peer === undefined) return false;
    const read = readTarget(arrival, policy.paths);
    if (read.refusal !== undefined) return false;
    const decide = (path: string): AccessDecision =>
      policy.access.decide(new ArrivedRequest(arrival, { ...read, path }, policy.trustedProxies));
    const { allowed, decidedBy } = decide(read.path);
    if (!allowed || decidedBy?.action !== "ALLOW") return false;
    return decide(ELSEWHERE).decidedBy !== decidedBy;
  }

  read(): GuardReading {
    return this.#counts.read();
  }

  close(): void {
    this.#counts.close();
    this.#tokens?.close();
  }

  #waitForPolicy(arrival: Arrival, now: number): GuardVerdict | Promise<GuardVerdict> {
    if (this.#policyReady === undefined) return undefined;
    return this.#policyReady().then(
      () => (this.#policy === undefined ? NO_POLICY_YET : this.enter(arrival, now)),
      () => NO_POLICY_YET,
    );
  }

  #judge(policy: SecurityPolicy, arrival: Arrival, now: number): GuardVerdict | Promise<GuardVerdict> {
    const read = readTarget(arrival, policy.paths);
    if (read.refusal !== undefined) {
      this.#counts.invalid(read.refusal, arrival, now);
      return REQUEST_INVALID;
    }
    const request = new ArrivedRequest(arrival, read, policy.trustedProxies);
    const judged = new Judged(policy, arrival, read, request, now);
    const custom = policy.access.asksProviders ? policy.access.custom(request) : undefined;
    if (custom === undefined) return this.#authenticate(judged, undefined);
    const authorizer = policy.authorizers.get(custom.provider);
    const refusal =
      custom.refusal ||
      (authorizer === undefined ? `there is no extension provider "${custom.provider}"` : authorizer.refusal) ||
      (this.external === undefined ? "this process asks no external authorizers" : "");
    if (refusal !== "" || authorizer === undefined || this.external === undefined) {
      return this.#deny(judged, custom.rule, refusal);
    }
    const { target, authority } = read;
    return this.external.check(authorizer, { arrival, target, authority }).then(
      (answer) => {
        if (answer.kind === "pass") return this.#authenticate(judged, answer);
        this.#counts.denied(custom.rule, answer.reason, judged.request, now);
        if (arrival.context !== undefined) arrival.context.rule = custom.rule;
        return answer.rejection;
      },
      (error: unknown) => this.#deny(judged, custom.rule, messageOf(error)),
    );
  }

  #authenticate(judged: Judged, external: ExternalPass | undefined): GuardVerdict | Promise<GuardVerdict> {
    const { policy, arrival } = judged;
    const { jwt } = policy;
    if (jwt.length === 0 || isPreflight(arrival)) return this.#decide(judged, external, undefined);
    if (this.#tokens === undefined) return this.#refuseToken(judged, unverifiable("this process verifies no tokens"));
    const verdict = this.#tokens.authenticate(jwt, { path: arrival.target, header: (name) => arrival.header(name) });
    if (!(verdict instanceof Promise)) return this.#decide(judged, external, verdict);
    return verdict.then(
      (found) => this.#decide(judged, external, found),
      (error: unknown) => this.#refuseToken(judged, unverifiable(messageOf(error))),
    );
  }

  #decide(judged: Judged, external: ExternalPass | undefined, token: TokenVerdict | undefined): GuardVerdict {
    if (token?.kind === "invalid") return this.#refuseToken(judged, token);
    const { policy, request, now } = judged;
    const valid = token?.kind === "valid" ? token : undefined;
    request.claims = valid?.claims;
    const decision = policy.access.decide(request);
    this.#counts.decided(decision, request, now);
    const { context } = judged.arrival;
    if (context !== undefined) context.rule = decision.decidedBy;
    if (!decision.allowed) return ACCESS_DENIED;
    return this.#passage(judged, external, valid);
  }

  /** @returns undefined where nothing of the request changes */
  #passage(
    { arrival, read }: Judged,
    external: ExternalPass | undefined,
    token: ValidToken | undefined,
  ): Passage | undefined {
    const authority = read.authority === arrival.authority || arrival.method === "CONNECT" ? undefined : read.authority;
    const sameTarget = read.target === arrival.target && authority === undefined;
    const claimHeaders = this.#claimHeaders;
    if (sameTarget && external === undefined && token === undefined && claimHeaders.length === 0) return undefined;
    const stripped = withoutTokens(token?.remove ?? [], read.target, arrival);
    return {
      target: stripped.target,
      authority,
      remove: [...claimHeaders, ...stripped.remove, ...(external?.remove ?? NONE)],
      set: [...(external?.set ?? NONE), ...stripped.set, ...(token?.headers ?? NONE)],
      answer: external?.answer ?? NONE,
      claims: token?.claims,
    };
  }

  #deny({ arrival, request, now }: Judged, rule: AccessRule, reason: string): Rejection {
    this.#counts.denied(rule, reason, request, now);
    if (arrival.context !== undefined) arrival.context.rule = rule;
    return ACCESS_DENIED;
  }

  #refuseToken({ request, read, now }: Judged, token: InvalidToken): Rejection {
    this.#counts.tokenRefused(token.reason, request, now);
    return tokenRejection(token, read);
  }
}

/** A request on its way through. */
class Judged {
  readonly policy: SecurityPolicy;
  readonly arrival: Arrival;
  readonly read: ReadTarget;
  readonly request: ArrivedRequest;
  readonly now: number;

  constructor(policy: SecurityPolicy, arrival: Arrival, read: ReadTarget, request: ArrivedRequest, now: number) {
    this.policy = policy;
    this.arrival = arrival;
    this.read = read;
    this.request = request;
    this.now = now;
  }
}

function isPreflight(arrival: Arrival): boolean {
  return (
    arrival.method === PREFLIGHT &&
    arrival.header("origin") !== undefined &&
    arrival.header("access-control-request-method") !== undefined
  );
}

/** Whether the mesh answers in place of the application. */
export function isRejection(verdict: object): verdict is Rejection {
  return "status" in verdict;
}
