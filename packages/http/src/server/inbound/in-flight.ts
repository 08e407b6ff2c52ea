/** The requests that are being served, and who waits for their end. */

import type { Socket } from "node:net";
import type { ServedUnderWay } from "@inmesh/core/admin";
import type { Answer, InboundRequest } from "../inbound-request.js";

/** Hears of the end of each. @param answer what it had until now @param status see `InboundRequest.close` */
export type OnEnd = (request: InboundRequest, answer: Answer, status: number) => void;

export class InFlight {
  readonly #onEnd: OnEnd;
  readonly #waiting = new Set<() => void>();
  readonly #pipelined = new WeakMap<Socket, Set<InboundRequest>>();
  #newest: InboundRequest | undefined;
  #size = 0;

  constructor(onEnd: OnEnd) {
    this.#onEnd = onEnd;
  }

  get size(): number {
    return this.#size;
  }

  /** The newest first. */
  *[Symbol.iterator](): Iterator<InboundRequest> {
    for (let request = this.#newest; request !== undefined; ) {
      const { next } = request; // its end may come meanwhile
      yield request;
      request = next;
    }
  }

  add(request: InboundRequest): void {
    const newest = this.#newest;
    request.next = newest;
    if (newest !== undefined) newest.previous = request;
    this.#newest = request;
    this.#size += 1;
  }

  end(request: InboundRequest): void {
    const { answer } = request;
    const status = request.close();
    if (status === undefined || answer === undefined) return;
    const { previous, next } = request;
    if (previous === undefined) this.#newest = next;
    else previous.next = next;
    if (next !== undefined) next.previous = previous;
    request.previous = undefined; // a dead one must not hold living ones, nor the dead each other
    request.next = undefined;
    this.#size -= 1;
    this.#onEnd(request, answer, status);
    if (this.#size === 0 && this.#waiting.size > 0) for (const done of [...this.#waiting]) done();
  }

  /** Ends those of whose end nobody told us. */
  reap(): void {
    for (const request of this) if (request.lost) this.end(request);
  }

  /** Resolves once there is none, at once if so. @param signal stops the wait: the promise then resolves, too */
  idle(signal: AbortSignal): Promise<void> {
    return new Promise((resolve) => {
      if (this.#size === 0 || signal.aborted) return resolve();
      const done = (): void => {
        this.#waiting.delete(done);
        signal.removeEventListener("abort", done);
        resolve();
      };
      this.#waiting.add(done);
      signal.addEventListener("abort", done);
    });
  }

  /** For who taps; the newest first. */
  *underWay(): Iterable<ServedUnderWay> {
    for (const request of this) {
      const { facts, untold, startedAt, requestId, peer, span } = request;
      if (facts === undefined || untold) continue;
      const { method, target } = facts;
      const authority = facts.header(":authority") ?? facts.header("host") ?? "";
      const traceId = span?.traceId ?? facts.traceparent.split("-")[1] ?? "";
      yield { request, startedAt, method, authority, target, requestId, traceId, peer: peer?.id ?? "" };
    }
  }

  /**
   * A pipelined request has no connection until its turn comes: when that is gone before, its answer never closes. One
   * listener for all of a connection's.
   */
  followSocket(socket: Socket, request: InboundRequest): Set<InboundRequest> {
    const known = this.#pipelined.get(socket);
    const pipelined = known ?? new Set<InboundRequest>();
    pipelined.add(request);
    if (known !== undefined) return pipelined;
    this.#pipelined.set(socket, pipelined);
    socket.once("close", () => {
      for (const each of pipelined) this.end(each);
    });
    return pipelined;
  }
}
