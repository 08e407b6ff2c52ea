/**
 * What libraries expect behind `request.socket`: there is no one socket behind a call, which may take several. Timeouts
 * and `destroy` act on the request.
 */

import { Duplex } from "node:stream";

export interface SocketOwner {
  destroy(error?: Error): unknown;
  setTimeout(ms: number): unknown;
}

export class StubSocket extends Duplex {
  readonly connecting = false;
  readonly encrypted = false;
  readonly authorized = false;
  readonly bytesRead = 0;
  readonly bytesWritten = 0;
  remoteAddress: string | undefined = undefined;
  remotePort: number | undefined = undefined;
  timeout: number | undefined = undefined;
  readonly #owner: SocketOwner;

  constructor(owner: SocketOwner) {
    super({ autoDestroy: false });
    this.#owner = owner;
  }

  setTimeout(ms: number, listener?: () => void): this {
    this.timeout = ms;
    if (listener !== undefined) this.once("timeout", listener);
    this.#owner.setTimeout(ms);
    return this;
  }

  setNoDelay(): this {
    return this;
  }

  setKeepAlive(): this {
    return this;
  }

  ref(): this {
    return this;
  }

  unref(): this {
    return this;
  }

  address(): object {
    return {};
  }

  get readyState(): string {
    return this.destroyed ? "closed" : "open";
  }

  override _read(): void {}

  override _write(_chunk: unknown, _encoding: string, done: () => void): void {
    done();
  }

  override _destroy(error: Error | null, done: (error?: Error | null) => void): void {
    this.#owner.destroy(error ?? undefined);
    done(null); // the request tells of the error
  }
}
