/**
 * stdout or stderr of the process, shared with the application. Through its stream and not its descriptor: a pipe that nobody
 * reads would hold a thread of the pool, and the exit of the process with it.
 */

import { faultText, type LineSink, linesIn, type SinkFault } from "./line-sink.js";

/** What of a Writable is used. */
export interface LineStream {
  write(chunk: string, done: (error?: Error | null) => void): boolean;
  once(event: "error", listener: (error: Error) => void): unknown;
  removeListener(event: "error", listener: (error: Error) => void): unknown;
  listenerCount(event: "error"): number;
  readonly destroyed: boolean;
}

const DEAD = new Set(["EPIPE", "ECONNRESET", "ERR_STREAM_DESTROYED", "ERR_STREAM_WRITE_AFTER_END", "EBADF"]);

export class StreamSink implements LineSink {
  readonly name: string;
  readonly #stream: () => LineStream;

  constructor(name: string, stream: () => LineStream) {
    this.name = name;
    this.#stream = stream;
  }

  write(chunk: string): Promise<SinkFault | undefined> {
    return new Promise((resolve) => {
      const failed = (error: unknown): void => {
        const code = (error as NodeJS.ErrnoException | null)?.code ?? "";
        resolve({ message: faultText(error), dead: DEAD.has(code), lost: linesIn(chunk) });
      };
      try {
        this.#writeTo(this.#stream(), chunk, (error) => (error ? failed(error) : resolve(undefined)));
      } catch (error) {
        failed(error); // no descriptor behind it
      }
    });
  }

  writeNow(chunk: string): void {
    try {
      this.#writeTo(this.#stream(), chunk, () => {});
    } catch {
      // nothing can be said any more
    }
  }

  /** It is the application's. */
  close(): Promise<void> {
    return Promise.resolve();
  }

  /** As console does it: a broken pipe would otherwise be thrown at an application that never wrote there. */
  #writeTo(stream: LineStream, chunk: string, done: (error: Error | null | undefined) => void): void {
    stream.once("error", ignore);
    stream.write(chunk, (error) => {
      // The stream tells its listeners after this.
      if (error && stream.listenerCount("error") === 0) stream.once("error", ignore);
      else if (!error) stream.removeListener("error", ignore);
      done(error);
    });
  }
}

function ignore(): void {
  // whoever writes there learns it from its own write
}
