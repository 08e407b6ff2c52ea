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

  over(then: (by: "caller" | "peer") => void): void {
    const stream = this.#stream;
    let peerFirst = false;
    stream.once("end", () => {
      peerFirst = !stream.writableEnded;
    });
    const closed = (): void => then(peerFirst || stream.errored !== null ? "peer" : "caller");
    if (stream.closed) closed();
    else stream.once("close", closed);
  }
}
