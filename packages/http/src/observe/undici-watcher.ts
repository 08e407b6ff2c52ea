/**
 * Listens to undici, Node's own copy and every other, through its diagnostics channels: nothing is patched and nothing
 * stands between a caller and its answer (experience.md §1.3). A channel's listener must not throw: the process would end.
 */

import { subscribe, unsubscribe } from "node:diagnostics_channel";
import type { Watch } from "@inmesh/core/internal";
import type { HttpClient } from "../client/client.js";
import type { RawHeaders } from "../client/handler.js";
import { rawHeader } from "../client/raw-headers.js";
import { asWatched } from "./as-watched.js";
import { quietly } from "./quietly.js";

/** undici's own object, as far as all versions from 6 agree on it. */
interface UndiciRequest {
  readonly origin?: string | URL;
  readonly method: string;
  readonly path: string;
  readonly host?: string | null;
  readonly upgrade?: unknown;
  readonly headers?: unknown;
}

interface Message {
  readonly request: UndiciRequest;
  readonly response?: { readonly statusCode: number; readonly headers: RawHeaders };
  readonly error?: unknown;
}

type Listener = (message: unknown) => void;

const CREATED = "undici:request:create";

export class UndiciWatcher {
  readonly #client: () => Pick<HttpClient, "engine" | "origins">;
  readonly #open = new Map<UndiciRequest, Watch>();

  /** @param client asked for with the first request */
  constructor(client: () => Pick<HttpClient, "engine" | "origins">) {
    this.#client = client;
  }

  /** Every request of the process. @returns undoes it */
  all(): () => void {
    subscribe(CREATED, this.#created);
    return () => unsubscribe(CREATED, this.#created);
  }

  /** Requests that `work` makes before it returns, as a dispatcher does. */
  during<Result>(work: () => Result): Result {
    subscribe(CREATED, this.#created);
    try {
      return work();
    } finally {
      unsubscribe(CREATED, this.#created);
    }
  }

  readonly #created = quietly((message: unknown) => {
    const { request } = message as Message;
    const { origin, method, path, host, upgrade } = request;
    // What leaves HTTP has no end to wait for.
    if (origin === undefined || upgrade || method === "CONNECT") return;
    const { engine, origins } = this.#client();
    const found = origins.get(origin);
    if (found === undefined) return;
    const watch = engine.rehearsal.watch(
      asWatched(found, method, path, host || undefined, lines(request.headers)),
      request,
    );
    if (watch === undefined) return;
    if (this.#open.size === 0) this.#follow(subscribe);
    this.#open.set(request, watch);
  });

  readonly #ended = (request: UndiciRequest, error?: unknown): void => {
    const watch = this.#open.get(request);
    if (watch === undefined) return;
    this.#open.delete(request);
    if (this.#open.size === 0) this.#follow(unsubscribe);
    watch.ended(error);
  };

  readonly #followed: readonly (readonly [channel: string, listener: Listener])[] = [
    [
      "undici:request:headers",
      quietly((message: unknown) => {
        const { request, response } = message as Message;
        if (response === undefined || response.statusCode < 200) return;
        const { statusCode, headers } = response;
        this.#open.get(request)?.answered(statusCode, (name) => rawHeader(headers, name));
      }),
    ],
    ["undici:request:trailers", quietly((message: unknown) => this.#ended((message as Message).request))],
    [
      "undici:request:error",
      quietly((message: unknown) => {
        const { request, error } = message as Message;
        this.#ended(request, error ?? new Error("failed"));
      }),
    ],
  ];

  #follow(how: (channel: string, listener: Listener) => unknown): void {
    for (const [channel, listener] of this.#followed) how(channel, listener);
  }
}

/** Flat pairs; a repeated header's lines as several. */
function lines(headers: unknown): readonly string[] {
  if (!Array.isArray(headers)) return [];
  const found: string[] = [];
  for (let index = 0; index + 1 < headers.length; index += 2) {
    const values: unknown[] = Array.isArray(headers[index + 1]) ? headers[index + 1] : [headers[index + 1]];
    for (const value of values) found.push(String(headers[index]), String(value));
  }
  return found;
}
