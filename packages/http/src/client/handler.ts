/**
 * The two shapes of undici's handlers, as far as they are used here. undici 6 and the inside of undici 7 speak the old
 * one, undici 8 the new one only; interceptors of undici 7 the new one as well. An answer is given in the shape received.
 */

import type { OutgoingHttpHeaders } from "node:http2";
import type { Duplex } from "node:stream";
import type { Attempt, Tries } from "@inmesh/core";

/** A header line as it came: flat `[name, value, …]`. undici hands out Buffers. */
export type RawHeaders = readonly (Buffer | string)[];

export interface OldHandler {
  onConnect(abort: (reason?: unknown) => void, context?: unknown): void;
  /** @returns false to pause until `resume` is called */
  onHeaders(status: number, headers: RawHeaders, resume: () => void, statusText: string): boolean | undefined;
  onData(chunk: Buffer): boolean | undefined;
  onComplete(trailers: RawHeaders): void;
  onError(error: unknown): void;
  onUpgrade?(status: number, headers: RawHeaders, socket: Duplex): void;
  onResponseStarted?(): void;
  onBodySent?(chunk: unknown): void;
  onRequestSent?(): void;
  /** Ours alone: the request is on a connection, each time that it is tried; undefined: it is answered without one. */
  onConnected?(attempt: Attempt | undefined, remoteAddress?: string): void;
}

export type HeaderRecord = Record<string, string | string[] | undefined>;

export interface Controller {
  readonly aborted: boolean;
  readonly paused: boolean;
  readonly reason: unknown;
  rawHeaders: RawHeaders | null;
  rawTrailers: RawHeaders | null;
  abort(reason: unknown): void;
  pause(): void;
  resume(): void;
}

export interface NewHandler {
  onRequestStart(controller: Controller, context?: unknown): void;
  onRequestUpgrade?(controller: Controller, status: number, headers: HeaderRecord, socket: Duplex): void;
  onResponseStarted?(): void;
  onResponseStart?(controller: Controller, status: number, headers: HeaderRecord, statusText?: string): void;
  onResponseData?(controller: Controller, chunk: Buffer): void;
  onResponseEnd?(controller: Controller, trailers: HeaderRecord): void;
  onResponseError?(controller: Controller, error: unknown): void;
}

/** What a caller hands to `dispatch`. Read, never written. */
export interface RequestOptions {
  readonly origin?: string | URL | undefined;
  readonly path: string;
  readonly method: string;
  readonly body?: unknown;
  readonly headers?: unknown;
  readonly query?: Readonly<Record<string, unknown>> | null | undefined;
  readonly upgrade?: boolean | string | null | undefined;
  readonly reset?: boolean | null | undefined;
  readonly blocking?: boolean | undefined;
  readonly idempotent?: boolean | undefined;
  readonly expectContinue?: boolean | undefined;
  readonly headersTimeout?: number | null | undefined;
  readonly bodyTimeout?: number | null | undefined;
  readonly typeOfService?: number | null | undefined;
  /** What failed requests before this one have spent, where an adapter knows of them. */
  readonly tries?: Tries | undefined;
  /** Its headers, in lower case, may say how long the caller waits for the end of the answer; the engine then waits no longer. */
  readonly tellsTimeout?: boolean | undefined;
  /** What its body is followed by; asked for once the body has ended. Sent over HTTP/2 alone. */
  readonly requestTrailers?: (() => OutgoingHttpHeaders) | undefined;
  /** An answer 101 that it did not ask for is the whole answer, as for node:http; undici takes it for the start of one. */
  readonly endsAt101?: boolean | undefined;
  /** undici 6 only. */
  readonly maxRedirections?: number | null | undefined;
  readonly throwOnError?: boolean | null | undefined;
}

/** Whoever takes a request as if the mesh were not there. */
export interface PlainDispatcher {
  dispatch(options: RequestOptions, handler: OldHandler | NewHandler): boolean;
  /** It is undici 6's, as far as who made this object knows. */
  readonly ofUndici6?: boolean;
}

/** undici's RetryHandler, of RetryAgent and the interceptor `retry`: it dispatches each of its tries with itself as handler. */
export function triesAgain(handler: object): boolean {
  return (handler as { retryOpts?: unknown }).retryOpts !== undefined;
}

export function isNewShape(handler: object): handler is NewHandler {
  return typeof (handler as Partial<NewHandler>).onRequestStart === "function";
}

export function isOldShape(handler: object): handler is OldHandler {
  return typeof (handler as Partial<OldHandler>).onConnect === "function";
}

export function hasOptionsOf6({ maxRedirections, throwOnError }: RequestOptions): boolean {
  return Boolean(maxRedirections) || throwOnError !== undefined;
}

/**
 * Whether requests are undici 6's once this has them, whatever copy they come from: before Node 24, `fetch` installs an Agent
 * of undici 6 for every copy that is loaded after its first request.
 */
export function isOfUndici6(plain: PlainDispatcher): boolean {
  if (plain.ofUndici6 !== undefined) return plain.ofUndici6;
  return Object.getOwnPropertySymbols(plain).some(({ description }) => description === "maxRedirections");
}

/**
 * The handler of a `request` or `stream` of undici 7 or later, which refuse two options of undici 6. Both generations keep
 * trailers in them, and only undici 6 the option itself.
 */
export function refusesOptionsOf6(handler: OldHandler | NewHandler): boolean {
  return "trailers" in handler && !("throwOnError" in handler);
}
