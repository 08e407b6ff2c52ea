/**
 * One request being served: what it hands down to the calls made for it, its end, and a signal for those who ask. One
 * object on purpose, made for every request of the process; what few ask for is made when they ask.
 */

import {
  type Admitted,
  type Clock,
  type Engine,
  type Gate,
  type Guard,
  type InboundContext,
  MeshError,
  type OutcomeSinks,
  type Tracing,
} from "@inmesh/core";
import { WheelNode } from "@inmesh/core/internal";
import { identified, takeHeaders } from "./inbound-headers.js";
import { routeOf } from "./record/http-route.js";
import { noteRoute } from "./record/note-route.js";
import type { Refusal } from "./record/refusal-details.js";
import type { RequestFacts } from "./record/request-facts.js";
import type { RequestHead } from "./request-head.js";
import { tellRetried } from "./retried-header.js";
import type { Connection } from "./tls/connection.js";

/** The part of the engine that inbound requests need. */
export interface InboundEngine {
  /** When this process stood still; absent: nobody watches. */
  readonly stalls?: Pick<Engine["stalls"], "stalledMs">;
  watchStalls?(now: number): void;
  /** Requests that are being served, counted here. */
  serving?: number;
  readonly clock: Clock;
  readonly wheel: { add(node: WheelNode, at: number): void; remove(node: WheelNode): void };
  /** Policy is in force: deadlines hold. */
  readonly inForce: boolean;
  /** The process touches nothing it receives. */
  readonly onlyObserves: boolean;
  /** Who may come in; absent: everybody. Asked before the gate, in every mode. */
  readonly guard?: Pick<Guard, "active" | "enter"> & Partial<Pick<Guard, "foldsCase">>;
  /** What policy puts before the application; absent: nothing. */
  readonly gate?: Pick<Gate, "active" | "enter"> & Partial<Pick<Gate, "askElsewhere">>;
  /** Who hears what became of requests; absent: nobody. */
  readonly sinks?: Pick<OutcomeSinks, "any" | "ended">;
  /** Absent: headers of traces are passed on, and that is all. */
  readonly tracing?: Tracing | undefined;
  /** Headers handed on to calls besides those of traces, lower-case; absent: none. */
  readonly forwardHeaders?: ReadonlySet<string> | undefined;
  /** Whose `baggage` goes on to the application and to calls; absent: everybody's. */
  readonly trustsBaggage?: ((peer: InboundContext["peer"]) => boolean) | undefined;
  readonly store?: { readonly current: { readonly version: number } | undefined };
  readonly contexts: { run<Result>(context: InboundContext | undefined, work: () => Result): Result };
}

/** The answer to a request: a ServerResponse, or what stands for one on an HTTP/2 stream. */
export interface Answer {
  /** False: the connection is not to be used again. */
  shouldKeepAlive: boolean;
  /** Whether the application has said all of it. */
  readonly writableEnded: boolean;
  readonly statusCode: number;
  /** Whether it has emitted "close". */
  readonly closed: boolean;
}

/** On a request that a mesh serves: the latest one's `InboundRequest`. Holds for every copy of this package. */
const SERVED: unique symbol = Symbol.for("@inmesh/inbound@1");

interface Marked {
  [SERVED]?: InboundRequest;
}

export class InboundRequest implements InboundContext {
  /** Whose it is: an application may emit "request" for a request again, and several meshes may serve it. */
  readonly owner: object;
  /** The mesh that took the request before this one. */
  readonly under: InboundRequest | undefined;
  readonly deadlineAt: number;
  forward: readonly string[];
  /** What the gate let in; undefined where it had no say. */
  admitted: Admitted | undefined = undefined;
  /** The mesh answered itself, before the application saw it. */
  refused = false;
  /** Nobody but its span hears of it. */
  untold = false;
  readonly startedAt: number;
  tries: InboundContext["tries"] = undefined;
  readonly spentAbove: number;
  calls = 0;
  repeats = 0;
  peer: InboundContext["peer"] = undefined;
  span: InboundContext["span"] = undefined;
  rule: InboundContext["rule"] = null;
  /** It said to be part of a trace, and nobody can read which. */
  readonly malformedTrace: boolean;
  /** `x-request-id`: its caller's, or made here; empty where nobody listens, or the mesh changes nothing. */
  readonly requestId: string;
  /** For its record; undefined: nobody listens. */
  facts: RequestFacts | undefined = undefined;
  /** Where it came in, as the mesh knows it; undefined where it does not. */
  connection: Connection | undefined = undefined;
  /** It came with a header that says who called. */
  readonly clientCert: boolean;
  /** What its caller says of itself; from a stranger it is worth nothing. */
  readonly workload: string;
  /** Neighbours in the list of requests in flight. */
  previous: InboundRequest | undefined = undefined;
  next: InboundRequest | undefined = undefined;
  readonly #engine: InboundEngine;
  /** Where its router says who serves it; once it is over, what it said. */
  #routed: object | string;
  /** Until it is over: work that outlives the request keeps this object, and must not keep the rest. */
  #answer: Answer | undefined;
  #abort: Abort | undefined = undefined;

  /** @param carrier what every mesh of the process sees of the request: its IncomingMessage, or its HTTP/2 stream */
  constructor(owner: object, engine: InboundEngine, carrier: object, head: RequestHead, answer: Answer) {
    this.owner = owner;
    this.under = (carrier as Marked)[SERVED];
    this.#engine = engine;
    this.#answer = answer;
    this.#routed = carrier;
    this.startedAt = engine.clock.now();
    const {
      forward: given,
      remainingMs,
      spentAbove,
      clientCert,
      workload,
      malformed,
    } = takeHeaders(head, engine.onlyObserves, engine.forwardHeaders);
    // The mesh that came first has hidden the headers from us as well as from the application.
    this.deadlineAt = !engine.inForce
      ? Number.POSITIVE_INFINITY
      : (this.under?.deadlineAt ?? this.startedAt + remainingMs);
    const seen = engine.inForce && (engine.tracing !== undefined || engine.sinks?.any === true);
    this.malformedTrace = malformed;
    const told = seen ? identified(given, malformed, this.under?.requestId) : undefined;
    this.requestId = told?.requestId ?? "";
    this.forward = told?.forward ?? given;
    this.clientCert = clientCert;
    this.workload = workload;
    this.spentAbove = this.under?.spentAbove ?? spentAbove;
    (carrier as Marked)[SERVED] = this;
  }

  /** Whether `owner` has taken this request before. */
  static isServed(carrier: object, owner: object): boolean {
    let served = (carrier as Marked)[SERVED];
    while (served !== undefined && served.owner !== owner) served = served.under;
    return served !== undefined;
  }

  /** Undefined once it is over. */
  get answer(): Answer | undefined {
    return this.#answer;
  }

  /** Everything about it is over. */
  get over(): boolean {
    return this.#answer === undefined;
  }

  /** Whether the answer is gone without this object having heard of it: somebody removed all of its listeners. */
  get lost(): boolean {
    return this.#answer?.closed === true;
  }

  get httpRoute(): string {
    return typeof this.#routed === "string" ? this.#routed : routeOf(this.#routed);
  }

  noteRoute(pattern: string | undefined): void {
    if (typeof this.#routed !== "string") noteRoute(this.#routed, pattern);
  }

  headWritten(): void {
    const { facts } = this;
    if (facts !== undefined && facts.headAt === 0) facts.headAt = this.#engine.clock.now();
  }

  retriedInVain(): void {
    if (this.#answer !== undefined) tellRetried(this.#answer, () => this.tries?.retried ?? 0);
  }

  /** The mesh answers itself, for that reason. */
  refuse(refusal: Refusal): void {
    this.refused = true;
    if (this.facts !== undefined) this.facts.refusal = refusal;
  }

  /** Asks the caller not to use the connection again, unless the answer's head is out. */
  retire(): void {
    if (this.#answer !== undefined) this.#answer.shouldKeepAlive = false;
  }

  signal(): AbortSignal {
    if (this.#abort === undefined) {
      this.#abort = new Abort();
      if (this.#answer !== undefined && this.deadlineAt !== Number.POSITIVE_INFINITY) {
        this.#engine.wheel.add(this.#abort, this.deadlineAt);
      }
    }
    return this.#abort.controller.signal;
  }

  /**
   * The last byte is out, or the caller is gone.
   * @returns the answer's status, 0 when the caller went away before it was complete; undefined when it was over already
   */
  close(): number | undefined {
    const answer = this.#answer;
    if (answer === undefined) return undefined;
    this.#answer = undefined;
    this.#routed = this.facts === undefined && this.calls === 0 ? "" : this.httpRoute;
    this.connection?.requestEnded();
    // The request's own "close" comes when its body was read, and says nothing (pitfalls S5).
    const cut = !answer.writableEnded;
    const abort = this.#abort;
    if (abort !== undefined) {
      this.#engine.wheel.remove(abort);
      if (cut) abort.controller.abort(new DOMException("the inbound caller closed its connection", "AbortError"));
    }
    return cut ? 0 : answer.statusCode;
  }
}

class Abort extends WheelNode {
  readonly controller = new AbortController();

  override onTimeout(): void {
    this.controller.abort(
      new MeshError("DEADLINE_EXCEEDED", "the deadline of the inbound request passed while it was being served"),
    );
  }
}
