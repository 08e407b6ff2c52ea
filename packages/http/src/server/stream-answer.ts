/** The answer on an HTTP/2 stream, as the mesh looks at answers. */

import type { ServerHttp2Stream } from "node:http2";
import type { Answer } from "./inbound-request.js";

export class StreamAnswer implements Answer {
  /** Of no use here: what ends a connection is its GOAWAY, for all streams at once. */
  shouldKeepAlive = true;
  readonly stream: ServerHttp2Stream;

  constructor(stream: ServerHttp2Stream) {
    this.stream = stream;
  }

  /** Files are sent by Node without the stream being written to, so the way it ended says more than `writableEnded`. */
  get writableEnded(): boolean {
    const { aborted, rstCode } = this.stream;
    return !aborted && rstCode === 0;
  }

  get statusCode(): number {
    return Number(this.stream.sentHeaders?.[":status"] ?? 0);
  }

  get closed(): boolean {
    return this.stream.destroyed;
  }
}
