/** The copy of an HTTP request. Whatever comes of it, nobody hears it. */

import type { Duplex } from "node:stream";
import type { Attempt, MirrorExchange } from "@inmesh/core";
import type { BodyLoss } from "@inmesh/core/admin";
import type { BodyCopy } from "./body-copy.js";
import type { RequestOptions } from "./handler.js";
import { REPLAY_CAP_BYTES } from "./replay-body.js";
import type { Transport } from "./transport.js";
import { type AttemptOwner, WireAttempt } from "./wire-attempt.js";

export class HttpMirror implements MirrorExchange, AttemptOwner {
  readonly options: RequestOptions;
  readonly bytes: number;
  readonly #transport: Transport;
  readonly #copy: BodyCopy | undefined;
  #body: unknown;

  /**
   * @param body what can be sent as often as wanted: shared, not copied
   * @param copy of what cannot
   */
  constructor(transport: Transport, options: RequestOptions, body: unknown, copy: BodyCopy | undefined) {
    this.#transport = transport;
    this.options = options;
    this.#body = body;
    this.#copy = copy;
    this.bytes = copy === undefined ? heldBytes(body) : REPLAY_CAP_BYTES;
  }

  whole(then: (loss: BodyLoss | undefined) => void): void {
    if (this.#copy === undefined) return then(undefined);
    this.#copy.whole((loss, chunks) => {
      this.#body = chunks;
      then(loss);
    });
  }

  send(attempt: Attempt): void {
    this.#transport.send(new WireAttempt(this, attempt));
  }

  canReplay(): boolean {
    return true;
  }

  openBody(): unknown {
    return this.#body;
  }

  bodyFailedWith(): boolean {
    return false;
  }

  head(): boolean {
    return true;
  }

  data(): boolean {
    return true;
  }

  upgraded(_status: number, _headers: unknown, socket: Duplex): void {
    socket.destroy();
  }

  passThrough(): void {}
  reply(): void {}
  fail(): void {}
  information(): void {}
  complete(): void {}
  connected(): void {}
  responseStarted(): void {}
  bodySent(): void {}
  requestSent(): void {}
}

/** Of a body in memory; what a Blob of a file would take is not known, and not in memory either. */
function heldBytes(body: unknown): number {
  if (typeof body === "string") return body.length;
  if (typeof body !== "object" || body === null) return 0;
  const { byteLength, size } = body as { byteLength?: unknown; size?: unknown };
  if (typeof byteLength === "number") return byteLength;
  if (typeof size === "number") return size;
  if (!(Symbol.iterator in body)) return 0;
  let sum = 0;
  for (const [name, value] of body as Iterable<[string, unknown]>) sum += name.length + heldBytes(value); // a form
  return sum;
}
