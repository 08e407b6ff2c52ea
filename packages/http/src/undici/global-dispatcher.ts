/**
 * The dispatcher of `fetch`, of WebSocket and of every undici in the process that is given no other. A plain object that
 * costs nothing until the first request: an accessor would load undici inside the look-up, and undici would then install
 * its own agent in our place (experience.md §1.2).
 */

import { EventEmitter } from "node:events";
import type { Dispatcher } from "undici";
import type { HttpClient } from "../client/client.js";
import type { NewHandler, OldHandler, PlainDispatcher, RequestOptions } from "../client/handler.js";

/** undici up to 7 reads the first, undici 8 the second. */
const SYMBOLS = [Symbol.for("undici.globalDispatcher.1"), Symbol.for("undici.globalDispatcher.2")] as const;

const MOCKS = new Set(["MockAgent", "SnapshotAgent"]);

type Globals = Record<symbol, unknown>;

/** @returns undoes it, as far as nobody else has installed a dispatcher since */
export function installGlobalDispatcher(client: HttpClient): () => void {
  const globals = globalThis as unknown as Globals;
  const before = SYMBOLS.map((symbol) => globals[symbol]);
  const installed = new GlobalDispatcher(client, before.find(isDispatcher));
  for (const symbol of SYMBOLS) {
    // An undici that was loaded before us has made the property unchangeable, but writable.
    if (Object.hasOwn(globalThis, symbol)) globals[symbol] = installed;
    else Object.defineProperty(globalThis, symbol, { value: installed, writable: true, configurable: true });
  }
  return () => {
    installed.retire();
    SYMBOLS.forEach((symbol, index) => {
      if (globals[symbol] !== installed) return;
      if (before[index] !== undefined) globals[symbol] = before[index];
      // undici makes it unchangeable once it has been loaded; what stays then only passes requests on.
      else if (Object.getOwnPropertyDescriptor(globalThis, symbol)?.configurable) delete globals[symbol];
    });
  };
}

/** Has what people call on `getGlobalDispatcher()`. */
class GlobalDispatcher extends EventEmitter {
  readonly #client: HttpClient;
  /** Whoever was there before us, such as Node's proxy agent: it gets what is none of the mesh's. */
  readonly #before: PlainDispatcher | undefined;
  #full: Dispatcher | undefined;
  #on: boolean;

  constructor(client: HttpClient, before: PlainDispatcher | undefined) {
    super();
    this.#client = client;
    this.#before = before;
    // A mock decides first. What it lets through comes to us from its pools.
    this.#on = before === undefined || !MOCKS.has(before.constructor.name);
  }

  /** From now on everything is passed on. */
  retire(): void {
    this.#on = false;
  }

  dispatch(options: RequestOptions, handler: OldHandler | NewHandler): boolean {
    const plain = this.#plain;
    return this.#on ? this.#client.dispatch(options, handler, plain) : plain.dispatch(options, handler);
  }

  /** Nothing to close: idle connections neither hold the process nor outlive their few seconds. */
  close(callback?: () => void): Promise<void> | undefined {
    return done(callback);
  }

  destroy(error?: unknown, callback?: () => void): Promise<void> | undefined {
    return done(typeof error === "function" ? (error as () => void) : callback);
  }

  get webSocketOptions(): unknown {
    return (this.#plain as { webSocketOptions?: unknown }).webSocketOptions;
  }

  get eventSourceOptions(): unknown {
    return (this.#plain as { eventSourceOptions?: unknown }).eventSourceOptions;
  }

  get compose(): Dispatcher["compose"] {
    return this.#method("compose");
  }

  get request(): Dispatcher["request"] {
    return this.#method("request");
  }

  get stream(): Dispatcher["stream"] {
    return this.#method("stream");
  }

  get pipeline(): Dispatcher["pipeline"] {
    return this.#method("pipeline");
  }

  get connect(): Dispatcher["connect"] {
    return this.#method("connect");
  }

  get upgrade(): Dispatcher["upgrade"] {
    return this.#method("upgrade");
  }

  get #plain(): PlainDispatcher {
    return this.#before ?? this.#client.plain;
  }

  #method<Name extends "compose" | "request" | "stream" | "pipeline" | "connect" | "upgrade">(
    name: Name,
  ): Dispatcher[Name] {
    this.#full ??= this.#client.dispatcher((options, handler) => this.dispatch(options, handler));
    return this.#full[name].bind(this.#full) as Dispatcher[Name];
  }
}

function done(callback: (() => void) | undefined): Promise<void> | undefined {
  if (callback === undefined) return Promise.resolve();
  queueMicrotask(callback);
  return undefined;
}

function isDispatcher(value: unknown): value is PlainDispatcher {
  return typeof (value as Partial<PlainDispatcher> | undefined)?.dispatch === "function";
}
