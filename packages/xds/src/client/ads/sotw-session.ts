/**
 * The state-of-the-world form: each request repeats all names of its type (docs of Envoy, xDS protocol).
 *
 * An error goes with exactly one request: servers do not act on a request that has one. And the last name of a type of which
 * no name means every one is never taken back, or istiod sends every one from then on.
 */

import type { TypeCache } from "../cache/type-cache.js";
import { decodeSotwAnswer } from "./decode-answer.js";
import { encodeSotwRequest } from "./encode-request.js";
import type { AdsAnswer } from "./messages.js";
import { type AdsSession, REFUSED_CODE, type SessionOptions } from "./session.js";

interface TypeState {
  nonce: string;
  names: readonly string[];
  /** From the first name on, no name means none. */
  named: boolean;
}

export interface SotwSessionOptions extends SessionOptions {
  /** Last accepted version by type URL; belongs to the server and outlives the stream. */
  readonly versions: Map<string, string>;
}

export class SotwSession implements AdsSession {
  readonly answersAreWhole = true;
  readonly #options: SotwSessionOptions;
  readonly #types = new Map<string, TypeState>();
  #introduced = false;

  constructor(options: SotwSessionOptions) {
    this.#options = options;
  }

  decode(bytes: Uint8Array): AdsAnswer {
    return decodeSotwAnswer(bytes);
  }

  subscribe(cache: TypeCache): readonly string[] {
    const { wanted, type, typeUrl } = cache;
    const before = this.#types.get(typeUrl);
    if (!wanted.all && wanted.names.size === 0 && (before === undefined || type.wholeState)) return [];
    const own = [...wanted.names.keys()];
    const names = !wanted.all ? own : own.length === 0 && before?.named !== true ? [] : ["*", ...own];
    if (before !== undefined && sameNames(before.names, names)) return [];
    const known = new Set(before?.names);
    const state = { nonce: before?.nonce ?? "", names, named: before?.named === true || names.length > 0 };
    this.#types.set(typeUrl, state);
    this.#request(typeUrl, state);
    return own.filter((name) => !known.has(name));
  }

  acknowledge({ typeUrl }: TypeCache, { nonce, version }: AdsAnswer, refusal: string | undefined): void {
    const state = this.#types.get(typeUrl);
    if (state === undefined) return; // nothing was ever asked of that type
    state.nonce = nonce;
    if (refusal === undefined) this.#options.versions.set(typeUrl, version);
    this.#request(typeUrl, state, refusal);
  }

  #request(typeUrl: string, { nonce, names }: TypeState, refusal?: string): void {
    const node = this.#introduced ? undefined : this.#options.node;
    this.#introduced = true;
    const version = this.#options.versions.get(typeUrl) ?? "";
    const error = refusal === undefined ? undefined : { code: REFUSED_CODE, message: refusal };
    this.#options.send(encodeSotwRequest({ node, typeUrl, version, names, nonce, error }));
  }
}

function sameNames(one: readonly string[], other: readonly string[]): boolean {
  if (one.length !== other.length) return false;
  const names = new Set(one);
  return other.every((name) => names.has(name));
}
