/** What one stream and its server have said to each other, in one form of the protocol. */

import type { TypeCache } from "../cache/type-cache.js";
import type { AdsAnswer } from "./messages.js";

export interface AdsSession {
  /** Whether an answer for a type that has `wholeState` holds all of them. */
  readonly answersAreWhole: boolean;
  /** @throws {WireError} */
  decode(bytes: Uint8Array): AdsAnswer;
  /**
   * Tells the server what is wanted of a type, as far as it does not know.
   * @returns names that were asked for just now
   */
  subscribe(cache: TypeCache): readonly string[];
  /** @param refusal why parts of the answer were not taken; undefined: all were */
  acknowledge(cache: TypeCache, answer: AdsAnswer, refusal: string | undefined): void;
}

export interface SessionOptions {
  /** Encoded Node; goes with the first request. */
  readonly node: Uint8Array;
  send(bytes: Uint8Array): void;
}

/** google.rpc.Code INVALID_ARGUMENT, as gRPC's own clients say it. */
export const REFUSED_CODE = 3;
