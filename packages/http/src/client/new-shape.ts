/** The caller's handler speaks the shape of undici 8 and of undici 7's interceptors: a controller, decoded headers. */

import type { Duplex } from "node:stream";
import type { HttpClient } from "./client.js";
import { HttpExchange } from "./exchange.js";
import type { Controller, NewHandler, PlainDispatcher, RawHeaders, RequestOptions } from "./handler.js";

export class NewShapeExchange extends HttpExchange {
  readonly #handler: NewHandler;
  readonly #controller = new CallController(this);

  constructor(client: HttpClient, options: RequestOptions, handler: NewHandler, plain: PlainDispatcher) {
    super(client, options, plain);
    this.#handler = handler;
  }

  protected override connect(): void {
    this.#handler.onRequestStart(this.#controller);
  }

  protected override onHead(status: number, headers: RawHeaders, resume: () => void, text: string): boolean {
    const controller = this.#controller;
    controller.resumeAnswer = resume;
    controller.rawHeaders = headers;
    this.#handler.onResponseStart?.(controller, status, this.client.parseHeaders(headers), text);
    return !controller.paused;
  }

  protected override onData(chunk: Buffer): boolean {
    this.#handler.onResponseData?.(this.#controller, chunk);
    return !this.#controller.paused;
  }

  protected override onEnd(trailers: RawHeaders): void {
    this.#controller.rawTrailers = trailers;
    this.#handler.onResponseEnd?.(this.#controller, this.client.parseHeaders(trailers));
  }

  protected override onError(error: unknown): void {
    this.#handler.onResponseError?.(this.#controller, error);
  }

  protected override onUpgrade(status: number, headers: RawHeaders, socket: Duplex): void {
    this.#controller.rawHeaders = headers;
    this.#handler.onRequestUpgrade?.(this.#controller, status, this.client.parseHeaders(headers), socket);
  }

  protected override handOver(): void {
    this.plain.dispatch(this.options, this.#handler);
  }

  override responseStarted(): void {
    this.#handler.onResponseStarted?.();
  }

  // This shape does not tell what was sent, and on what.
  override connected(): void {}
  override bodySent(): void {}
  override requestSent(): void {}
}

class CallController implements Controller {
  readonly #exchange: HttpExchange;
  resumeAnswer: (() => void) | undefined = undefined;
  rawHeaders: RawHeaders | null = null;
  rawTrailers: RawHeaders | null = null;
  paused = false;
  aborted = false;
  reason: unknown = null;

  constructor(exchange: HttpExchange) {
    this.#exchange = exchange;
  }

  pause(): void {
    this.paused = true;
  }

  resume(): void {
    if (!this.paused) return;
    this.paused = false;
    this.resumeAnswer?.();
  }

  abort(reason: unknown): void {
    if (this.aborted) return;
    this.aborted = true;
    this.reason = reason ?? this.#exchange.client.abortError();
    this.#exchange.abort(this.reason);
  }
}
