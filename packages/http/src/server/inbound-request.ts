/** One request being served: its deadline, its end, and a signal for those who ask. */

import type { IncomingMessage, ServerResponse } from "node:http";
import { type Clock, InboundContext, MeshError } from "@inmesh/core";
import { WheelNode } from "@inmesh/core/internal";
import { takeHeaders } from "./inbound-headers.js";

/** The part of the engine that inbound requests need. */
export interface InboundEngine {
  readonly clock: Clock;
  readonly wheel: { add(node: WheelNode, at: number): void; remove(node: WheelNode): void };
  readonly contexts: { run<Result>(context: InboundContext | undefined, work: () => Result): Result };
}

export class InboundRequest extends WheelNode {
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  readonly startedAt: number;
  readonly context: InboundContext;
  /** Neighbours in the list of requests in flight. */
  previous: InboundRequest | undefined = undefined;
  next: InboundRequest | undefined = undefined;
  readonly #engine: InboundEngine;
  readonly #onClosed: (ended: InboundRequest) => void;
  #controller: AbortController | undefined;
  #closed = false;

  /** @param onClosed called once, when the last byte is out or the caller is gone */
  constructor(
    engine: InboundEngine,
    request: IncomingMessage,
    response: ServerResponse,
    onClosed: (ended: InboundRequest) => void,
  ) {
    super();
    this.#engine = engine;
    this.#onClosed = onClosed;
    this.request = request;
    this.response = response;
    this.startedAt = engine.clock.now();
    const { forward, remainingMs } = takeHeaders(request);
    this.context = new InboundContext(this.startedAt + remainingMs, forward, () => this.#signal());
    response.on("close", () => this.close());
  }

  /** The caller went away before it had its whole answer. Request's own "close" says less (pitfalls S5). */
  get cut(): boolean {
    return !this.response.writableEnded;
  }

  /** Asks the caller not to use the connection again, unless the answer's head is out. */
  retire(): void {
    this.response.shouldKeepAlive = false;
  }

  /** The last byte is out, or the caller is gone; idempotent. */
  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    if (this.wheelTick >= 0) this.#engine.wheel.remove(this);
    this.#abortGone();
    this.#onClosed(this);
  }

  override onTimeout(): void {
    this.#controller?.abort(
      new MeshError("DEADLINE_EXCEEDED", "the deadline of the inbound request passed while it was being served"),
    );
  }

  /** Made on demand: most requests never ask. */
  #signal(): AbortSignal {
    if (this.#controller === undefined) {
      this.#controller = new AbortController();
      const { deadlineAt } = this.context;
      if (this.#closed) this.#abortGone();
      else if (deadlineAt !== Number.POSITIVE_INFINITY) this.#engine.wheel.add(this, deadlineAt);
    }
    return this.#controller.signal;
  }

  #abortGone(): void {
    if (this.cut) this.#controller?.abort(new DOMException("the inbound caller closed its connection", "AbortError"));
  }
}
