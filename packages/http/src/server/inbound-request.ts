/**
 * One request being served: what it hands down to the calls made for it, its end, and a signal for those who ask. One
 * object on purpose, made for every request of the process; what few ask for is made when they ask.
 */

import type { IncomingMessage, ServerResponse } from "node:http";
import { type Clock, type InboundContext, MeshError } from "@inmesh/core";
import { WheelNode } from "@inmesh/core/internal";
import { takeHeaders } from "./inbound-headers.js";

/** The part of the engine that inbound requests need. */
export interface InboundEngine {
  readonly clock: Clock;
  readonly wheel: { add(node: WheelNode, at: number): void; remove(node: WheelNode): void };
  /** Policy is in force: deadlines hold. */
  readonly inForce: boolean;
  /** The process touches nothing it receives. */
  readonly onlyObserves: boolean;
  readonly contexts: { run<Result>(context: InboundContext | undefined, work: () => Result): Result };
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
  readonly forward: readonly string[];
  readonly startedAt: number;
  tries: InboundContext["tries"] = undefined;
  /** Neighbours in the list of requests in flight. */
  previous: InboundRequest | undefined = undefined;
  next: InboundRequest | undefined = undefined;
  readonly #engine: InboundEngine;
  /** Until it is over: work that outlives the request keeps this object, and must not keep the rest. */
  #response: ServerResponse | undefined;
  #abort: Abort | undefined = undefined;

  constructor(owner: object, engine: InboundEngine, request: IncomingMessage, response: ServerResponse) {
    this.owner = owner;
    this.under = (request as Marked)[SERVED];
    this.#engine = engine;
    this.#response = response;
    this.startedAt = engine.clock.now();
    const { forward, remainingMs } = takeHeaders(request, engine.onlyObserves);
    // The mesh that came first has hidden the headers from us as well as from the application.
    this.deadlineAt = !engine.inForce
      ? Number.POSITIVE_INFINITY
      : (this.under?.deadlineAt ?? this.startedAt + remainingMs);
    this.forward = forward;
    (request as Marked)[SERVED] = this;
  }

  /** Whether `owner` has taken this request before. */
  static isServed(request: IncomingMessage, owner: object): boolean {
    let served = (request as Marked)[SERVED];
    while (served !== undefined && served.owner !== owner) served = served.under;
    return served !== undefined;
  }

  /** Asks the caller not to use the connection again, unless the answer's head is out. */
  retire(): void {
    if (this.#response !== undefined) this.#response.shouldKeepAlive = false;
  }

  signal(): AbortSignal {
    if (this.#abort === undefined) {
      this.#abort = new Abort();
      if (this.#response !== undefined && this.deadlineAt !== Number.POSITIVE_INFINITY) {
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
    const response = this.#response;
    if (response === undefined) return undefined;
    this.#response = undefined;
    // The request's own "close" comes when its body was read, and says nothing (pitfalls S5).
    const cut = !response.writableEnded;
    const abort = this.#abort;
    if (abort !== undefined) {
      this.#engine.wheel.remove(abort);
      if (cut) abort.controller.abort(new DOMException("the inbound caller closed its connection", "AbortError"));
    }
    return cut ? 0 : response.statusCode;
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
