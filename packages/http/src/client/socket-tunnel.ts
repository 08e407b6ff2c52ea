/** A connection that left HTTP, of which its bytes and its end are known, and nothing else. */

import { Socket } from "node:net";
import type { Duplex } from "node:stream";
import type { Tunnel } from "@inmesh/core";

export class SocketTunnel implements Tunnel {
  readonly #stream: Duplex;
  readonly #readBefore: number;
  readonly #writtenBefore: number;

  constructor(stream: Duplex) {
    this.#stream = stream;
    this.#readBefore = stream instanceof Socket ? stream.bytesRead - stream.readableLength : 0; // some came with the answer
    this.#writtenBefore = stream instanceof Socket ? stream.bytesWritten : 0;
  }

  get sentBytes(): number {
    return this.#stream instanceof Socket ? this.#stream.bytesWritten - this.#writtenBefore : 0;
  }

  get receivedBytes(): number {
    return this.#stream instanceof Socket ? this.#stream.bytesRead - this.#readBefore : 0;
  }

  over(then: (broken: boolean) => void): void {
    const stream = this.#stream;
    if (stream.closed) return then(stream.errored !== null);
    stream.once("close", () => then(stream.errored !== null));
  }
}
