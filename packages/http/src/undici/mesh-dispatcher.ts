/** The mesh as an undici dispatcher: for `request(url, { dispatcher })`, `fetch`, `setGlobalDispatcher`. */

import type { Engine } from "@inmesh/core";
import * as undici from "undici";
import { HttpClient } from "../client/client.js";
import type { NewHandler, OldHandler, PlainDispatcher, RequestOptions } from "../client/handler.js";
import type { Notices } from "../client/notices.js";
import { HttpTransport } from "../client/transport.js";

export interface MeshDispatcherOptions {
  readonly engine: Engine;
  /** Shared with other adapters of the same mesh. @default one of its own */
  readonly transport?: HttpTransport | undefined;
  /** Takes what is none of the mesh's. @default a plain undici Agent */
  readonly passThrough?: undici.Dispatcher | undefined;
  /** @default nobody hears them */
  readonly notices?: Notices | undefined;
}

export class MeshDispatcher extends undici.Dispatcher {
  readonly #client: HttpClient;
  readonly #transport: HttpTransport;

  constructor({ engine, transport, passThrough, notices }: MeshDispatcherOptions) {
    super();
    const load = () => undici;
    this.#transport = transport ?? new HttpTransport({ clock: engine.clock, undici: load });
    this.#client = new HttpClient({
      engine,
      transport: this.#transport,
      undici: load,
      passThrough: passThrough as PlainDispatcher | undefined,
      notices,
    });
  }

  override dispatch(options: undici.Dispatcher.DispatchOptions, handler: undici.Dispatcher.DispatchHandler): boolean {
    return this.#client.dispatch(options as RequestOptions, handler as unknown as OldHandler | NewHandler);
  }

  /** Closes the connections to the mesh once the requests on them are done. New requests open new ones. */
  override close(callback?: () => void): Promise<void>;
  override close(callback: () => void): void;
  override close(callback?: () => void): Promise<void> {
    const closed = this.#transport.close();
    if (callback !== undefined) void closed.then(callback);
    return closed;
  }

  /** Ends running requests with `error`. */
  override destroy(error?: Error | null | (() => void), callback?: () => void): Promise<void> {
    const then = typeof error === "function" ? error : callback;
    const reason = error instanceof Error ? error : new undici.errors.ClientDestroyedError();
    const destroyed = this.#transport.destroy(reason);
    if (then !== undefined) void destroyed.then(then);
    return destroyed;
  }
}
