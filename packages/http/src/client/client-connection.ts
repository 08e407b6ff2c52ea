/** One undici Client, which keeps one connection, and what undici does not tell of it. */

import type { Clock, Wire } from "@inmesh/core";
import { setImmediate, withOwnImmediates } from "@inmesh/core/internal";
import type { Client, Dispatcher } from "undici";
import type { SecuredConnection } from "./tls/secured-socket.js";
import { REQUEST_CREATED, withOneTrace } from "./trace-lines.js";
import type { WireAttempt } from "./wire-attempt.js";

/** A connection that was in use so shortly before is as good as one that is: nobody closes it for being idle. In ms. */
const FRESH_MS = 1;

/** What one attempt needs to know of the connection that carries it. */
export interface Connection {
  /** Counts one more request. @returns whether the socket had served before */
  use(): boolean;
  /** A request that says who this process is has gone out on it. */
  introduced: boolean;
  /** Where it leads, where the endpoint's address is a name. */
  readonly remoteAddress: string | undefined;
  /** Undefined until it stands. */
  readonly wire: Wire | undefined;
  /** Undefined in plaintext. */
  readonly secured: SecuredConnection | undefined;
}

export class ClientConnection implements Connection {
  readonly client: Client;
  remoteAddress: string | undefined = undefined;
  wire: Wire | undefined = undefined;
  secured: SecuredConnection | undefined = undefined;
  introduced = false;
  /** What its first request says of this process; empty: nothing. */
  readonly #workload: string;
  /** Takes a request at once. */
  free = false;
  /** Its place is given back. */
  ended = false;
  /** The one it carries, until it is free again. */
  #wire: WireAttempt | undefined = undefined;
  /** Clock ms at which its last attempt ended. */
  #idleSince = 0;
  #served = 0;
  #servedSeen = -1;

  constructor(client: Client, workload: string, onFree: (connection: ClientConnection) => void) {
    this.client = client;
    this.#workload = workload;
    client.on("connect", () => {
      this.introduced = false;
      this.#served = 0;
      this.#servedSeen = -1;
    });
    // Said once it takes requests again after `dispatch` returned false, whatever became of the last one.
    client.on("drain", () => onFree(this));
  }

  /** @param aged called when a connection of it has been there for `maxMs`, 0 for ever, or for as long as its certificates let it */
  onAge(maxMs: number, clock: Clock, aged: () => void): void {
    this.client.on("connect", () => {
      const { retiresAt = Number.POSITIVE_INFINITY } = this.secured ?? {};
      const ms = Math.min(maxMs || Number.POSITIVE_INFINITY, retiresAt - clock.now());
      if (ms === Number.POSITIVE_INFINITY) return;
      const timer = clock.after(Math.max(0, ms), aged);
      this.client.once("disconnect", () => timer.cancel());
    });
  }

  use(): boolean {
    return this.#served++ > 0;
  }

  /** A request was on it before, and long enough ago that its peer may have closed it since. */
  mayBeStale({ attempt }: WireAttempt): boolean {
    return attempt.startedAt - this.#idleSince > FRESH_MS && this.#served > 0;
  }

  /** It takes requests again. */
  freed(): void {
    this.free = true;
    const wire = this.#wire;
    if (wire !== undefined) this.#idleSince = wire.attempt.endedAt;
    this.#wire = undefined;
  }

  /** Asked once per sweep. @returns whether it has no connection and served nothing since it was asked last */
  fellIdle(): boolean {
    if (this.#servedSeen === this.#served) return !this.client.stats.connected;
    this.#servedSeen = this.#served;
    return false;
  }

  /** Puts a request on the connection. @returns whether the client could take another at once */
  carry(wire: WireAttempt): boolean {
    this.free = false;
    this.#wire = wire;
    wire.connection = this;
    // Where the connection is replaced before it is written on, the next request says so.
    if (!this.introduced && this.#workload !== "") wire.introduce(this.#workload);
    if (!REQUEST_CREATED.hasSubscribers) return this.#dispatch(wire);
    // Here and not where the call was made: it may have waited for this connection.
    const { tracing } = wire.attempt.call.engine;
    const dispatch = (): boolean => withOneTrace(wire, () => this.#dispatch(wire));
    return wire.attempt.call.span === undefined || tracing === undefined ? dispatch() : tracing.quietly(dispatch);
  }

  #dispatch(wire: WireAttempt): boolean {
    if (globalThis.setImmediate === setImmediate) return this.#send(wire);
    // undici uses a kept connection a turn later; under a test's fake clock that would be when the test says so.
    return withOwnImmediates(() => {
      const takesMore = this.#send(wire);
      this.client.pipelining = this.client.pipelining ?? 1; // has it look at its queue now, where a stream is the body, too
      return takesMore;
    });
  }

  #send(wire: WireAttempt): boolean {
    // The attempt is its own options and its own handler: one object instead of three (performance.md §9).
    return this.client.dispatch(
      wire as unknown as Dispatcher.DispatchOptions,
      wire as unknown as Dispatcher.DispatchHandler,
    );
  }
}
