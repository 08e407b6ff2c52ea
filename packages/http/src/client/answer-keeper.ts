/** Takes an answer down while it goes to the caller, for a breaker that falls back on the last good one. */

import type { Call } from "@inmesh/core";
import { isKeepable, MOST_ANSWER_BYTES, type StaleAnswers } from "@inmesh/core/internal";
import type { RawHeaders } from "./handler.js";
import { decodeHeaders, rawHeader } from "./raw-headers.js";

export class AnswerKeeper {
  readonly #call: Call;
  readonly #answers: StaleAnswers;
  readonly #status: number;
  readonly #headers: RawHeaders;
  #chunks: Buffer[] | undefined = [];
  #bytes = 0;

  /** @returns undefined for what may not be kept */
  static of(call: Call, status: number, headers: RawHeaders): AnswerKeeper | undefined {
    return isKeepable(call, status, (name) => rawHeader(headers, name))
      ? new AnswerKeeper(call, status, headers)
      : undefined;
  }

  private constructor(call: Call, status: number, headers: RawHeaders) {
    this.#call = call;
    this.#answers = call.engine.staleAnswers;
    this.#status = status;
    this.#headers = headers;
  }

  /** Copied: the caller may change what it gets, and a chunk may be a slice of something larger. */
  add(chunk: Buffer): void {
    if (this.#chunks === undefined) return;
    this.#bytes += chunk.length;
    if (this.#bytes > MOST_ANSWER_BYTES) this.#chunks = undefined;
    else this.#chunks.push(Buffer.from(chunk));
  }

  /** It ended as it should. One with trailers cannot be given again. */
  keep(trailers: RawHeaders): void {
    if (this.#chunks === undefined || trailers.length > 0) return;
    this.#answers.keep(this.#call, this.#status, decodeHeaders(this.#headers), Buffer.concat(this.#chunks));
  }
}
