/**
 * Stands between a request that arrives and the application: rate limits first, then load shedding, so that a caller who asks
 * for too much is told that, and not sent to do the same elsewhere. One per mesh; closed and free while policy asks nothing.
 */

import type { MatchRequest, Priority, Snapshot } from "@inmesh/model";
import { type RateLimitReading, RateLimits, type TakenTokens } from "../rate-limit/rate-limits.js";
import {
  type RateLimitServices,
  type SharedLimitReading,
  SharedLimits,
  type SharedPass,
} from "../rate-limit/shared-limits.js";
import type { Clock } from "../runtime/clock.js";
import type { Random } from "../runtime/random.js";
import { Admission, type AdmissionReading } from "./admission.js";
import { asksForHealth, healthPaths } from "./health-paths.js";
import { priorityOf } from "./priority.js";
import { overloaded, type Rejection, rateLimited } from "./rejection.js";
import { Shedding } from "./shedding.js";

export interface GateOptions {
  readonly clock: Clock;
  readonly random: Random;
  /** Told when requests begin to be turned away, and when that is over. */
  readonly onShedding: (message: string) => void;
}

export interface GateReading {
  readonly rateLimits: readonly RateLimitReading[];
  /** Absent where none are asked elsewhere, and from older processes. */
  readonly sharedLimits?: readonly SharedLimitReading[];
  /** Null where policy sheds no load. */
  readonly admission: AdmissionReading | null;
}

export class Gate {
  readonly #rateLimits = new RateLimits();
  readonly #shared: SharedLimits;
  readonly #admission: Admission;
  readonly #shedding: Shedding;
  readonly #clock: Clock;
  #healthPaths: ReadonlySet<string> = new Set();
  #active = false;

  constructor({ clock, random, onShedding }: GateOptions) {
    this.#clock = clock;
    this.#admission = new Admission({ clock, random });
    this.#shedding = new Shedding(clock, onShedding);
    this.#shared = new SharedLimits(clock, onShedding);
  }

  /** False: every request passes, and `enter` need not be asked. */
  get active(): boolean {
    return this.#active;
  }

  /** Who asks services that count for all processes. */
  set rateLimitServices(services: RateLimitServices | undefined) {
    this.#shared.services = services;
  }

  /** @param snapshot undefined: nothing is asked for any more */
  update(snapshot: Snapshot | undefined): void {
    const { rateLimits = [], sharedLimits = [], admission } = snapshot?.server ?? {};
    this.#rateLimits.update(rateLimits);
    this.#shared.update(sharedLimits);
    this.#admission.update(admission);
    this.#active = this.#rateLimits.any || this.#shared.any || admission !== undefined;
    if (this.#active && snapshot !== undefined) this.#healthPaths = healthPaths(snapshot);
  }

  /**
   * @param source address of the peer's socket; empty where it has none
   * @returns undefined: it passes and is none of the gate's business
   */
  enter(request: MatchRequest, source: string, now: number): Rejection | Admitted | undefined {
    if (asksForHealth(request, this.#healthPaths)) return undefined;
    const tokens = this.#rateLimits.take(request, source, now);
    const rule = tokens?.refusedBy;
    if (tokens !== undefined && rule !== undefined) {
      const rejection = rateLimited(rule, tokens);
      const { name, requests, perMs } = rule.policy;
      this.#shedding.turnedAway(`rate limit ${name}`, `more than ${requests} came per ${perMs} ms`, now);
      return rejection;
    }
    const { policy } = this.#admission;
    if (policy === undefined) return tokens && new Admitted(undefined, 0, tokens, [], now);
    const priority = priorityOf(policy, request);
    const overload = this.#admission.overload(priority, now);
    if (overload !== undefined) {
      tokens?.giveBack();
      this.#shedding.turnedAway(overload.reason, overload.text, now);
      return overloaded(overload, priority);
    }
    const carried = carriedPriority(policy.priorityHeader, priority, request);
    return new Admitted(this.#admission, this.#admission.begin(), tokens, carried, now);
  }

  /**
   * What is counted elsewhere, for a request that `enter` let in.
   * @returns undefined: nobody has to be asked. Else why it does not pass, or what is wanted of one that does; never rejects
   */
  askElsewhere(request: MatchRequest, source: string): Promise<Rejection | SharedPass | undefined> | undefined {
    if (!this.#shared.any || asksForHealth(request, this.#healthPaths)) return undefined;
    return this.#shared.ask(request, source);
  }

  close(): void {
    this.#admission.close();
    this.#shedding.close();
  }

  /** Undefined while policy asks nothing. */
  read(): GateReading | undefined {
    if (!this.#active) return undefined;
    return {
      rateLimits: this.#rateLimits.read(),
      ...(this.#shared.any && { sharedLimits: this.#shared.read() }),
      admission: this.#admission.read(this.#clock.now()) ?? null,
    };
  }
}

/** A request that was let in, until it is over. */
export class Admitted {
  /** For the calls made on its behalf, flat `[name, value]`; often empty. */
  readonly carried: readonly string[];
  readonly #admission: Admission | undefined;
  readonly #epoch: number;
  readonly #tokens: TakenTokens | undefined;
  #startedAt: number;
  #open = true;

  constructor(
    admission: Admission | undefined,
    epoch: number,
    tokens: TakenTokens | undefined,
    carried: readonly string[],
    startedAt: number,
  ) {
    this.carried = carried;
    this.#admission = admission;
    this.#epoch = epoch;
    this.#tokens = tokens;
    this.#startedAt = startedAt;
  }

  /** Somebody else had to be asked about it: its time begins now. */
  waited(now: number): void {
    this.#startedAt = now;
  }

  /** It is not served after all: its tokens are there for others. */
  giveBack(): void {
    this.#tokens?.giveBack();
  }

  /** What the answer says of rate limits, flat; undefined where none concerns it. */
  answerHeaders(): readonly string[] | undefined {
    return this.#tokens?.headers();
  }

  /**
   * Once; later ones are ignored.
   * @param status of the whole answer; 0 when there is none
   */
  end(status: number, now: number): void {
    const admission = this.#admission;
    if (!this.#open || admission === undefined) return;
    this.#open = false;
    const latencyMs = now - this.#startedAt;
    // A failure may be quick without being well, and a caller that left may have left early: only slowness is believed of them.
    const says = (status > 0 && status < 400) || latencyMs > admission.baselineMs;
    admission.end(this.#epoch, says ? latencyMs : undefined, now);
  }
}

/** The priority that holds here goes on with the calls, so that the whole way agrees on it. Silence is `default` everywhere. */
function carriedPriority(header: string, priority: Priority, request: MatchRequest): readonly string[] {
  if (header === "" || (priority === "default" && request.header(header) === undefined)) return [];
  return [header, priority];
}
