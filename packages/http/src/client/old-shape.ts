/** The caller's handler speaks the shape of undici 6 and of undici 7's own request: raw headers, return values that pause. */

import type { Duplex } from "node:stream";
import type { Attempt } from "@inmesh/core";
import type { HttpClient } from "./client.js";
import { HttpExchange } from "./exchange.js";
import type { OldHandler, PlainDispatcher, RawHeaders, RequestOptions } from "./handler.js";

export class OldShapeExchange extends HttpExchange {
  readonly #handler: OldHandler;

  constructor(client: HttpClient, options: RequestOptions, handler: OldHandler, plain: PlainDispatcher) {
    super(client, options, plain);
    this.#handler = handler;
  }

  protected override connect(): void {
    this.#handler.onConnect((reason) => this.abort(reason ?? this.client.abortError()));
  }

  protected override onHead(status: number, headers: RawHeaders, resume: () => void, text: string): boolean {
    return this.#handler.onHeaders(status, headers, resume, text) !== false;
  }

  protected override onData(chunk: Buffer): boolean {
    return this.#handler.onData(chunk) !== false;
  }

  protected override onEnd(trailers: RawHeaders): void {
    this.#handler.onComplete(trailers);
  }

  protected override onError(error: unknown): void {
    this.#handler.onError(error);
  }

  protected override onUpgrade(status: number, headers: RawHeaders, socket: Duplex): void {
    this.#handler.onUpgrade?.(status, headers, socket);
  }

  protected override handOver(): void {
    this.plain.dispatch(this.options, this.#handler);
  }

  override connected(attempt: Attempt | undefined, remoteAddress?: string): void {
    this.#handler.onConnected?.(attempt, remoteAddress);
  }

  override responseStarted(): void {
    this.#handler.onResponseStarted?.();
  }

  override bodySent(chunk: unknown): void {
    this.#handler.onBodySent?.(chunk);
  }

  override requestSent(): void {
    this.#handler.onRequestSent?.();
  }
}
