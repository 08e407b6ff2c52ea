/**
 * What libraries expect behind `request.socket`: there is no one socket behind a call, which may take several. Its address
 * is that of the attempt under way; timeouts and `destroy` act on the request; the events of a connection being made tell of the first one.
 */

import { isIP } from "node:net";
import { Duplex } from "node:stream";
import type { Endpoint } from "@inmesh/model";

export interface SocketOwner {
  readonly host: string;
  /** `http:` or `https:`. */
  readonly protocol: string;
  destroy(error?: Error): unknown;
  setTimeout(ms: number): unknown;
}

export class StubSocket extends Duplex {
  connecting: boolean;
  readonly encrypted = false;
  readonly authorized = false;
  readonly bytesRead = 0;
  readonly bytesWritten = 0;
  remoteAddress: string | undefined = undefined;
  remotePort: number | undefined = undefined;
  remoteFamily: "IPv4" | "IPv6" | undefined = undefined;
  timeout: number | undefined = undefined;
  readonly #owner: SocketOwner;

  constructor(owner: SocketOwner, connecting: boolean) {
    super({ autoDestroy: false });
    this.#owner = owner;
    this.connecting = connecting;
  }

  /** To the endpoint of the attempt under way. A socket file has no address. */
  leadTo({ address, port }: Endpoint): void {
    const family = isIP(address);
    if (family === 0) return;
    this.remoteAddress = address;
    this.remotePort = port;
    this.remoteFamily = family === 4 ? "IPv4" : "IPv6";
  }

  /** The registry has the name; where the call goes is decided later. */
  lookedUp(): void {
    const { host } = this.#owner;
    if (this.connecting && isIP(host) === 0) this.emit("lookup", null, undefined, undefined, host);
  }

  connected(): void {
    if (!this.connecting) return;
    this.connecting = false;
    this.emit("connect");
    this.emit("ready");
    if (this.#owner.protocol === "https:") this.emit("secureConnect"); // whatever the mesh's own connection is
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
    return this.destroyed ? "closed" : this.connecting ? "opening" : "open";
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
