/**
 * The incremental form (docs of Envoy, xDS protocol). Answers are acknowledged and subscriptions changed by messages of their
 * own, and changes name no nonce: istiod drops a change whose nonce is not its newest.
 */

import type { TypeCache } from "../cache/type-cache.js";
import { decodeDeltaAnswer } from "./decode-answer.js";
import { encodeDeltaRequest } from "./encode-request.js";
import type { AdsAnswer, DeltaRequest } from "./messages.js";
import { type AdsSession, REFUSED_CODE, type SessionOptions } from "./session.js";

export interface DeltaSessionOptions extends SessionOptions {
  /**
   * Of listeners and clusters istiod's generator for gRPC knows only the names that it answered last: a subscription's other
   * names, and for everything what comes later, are lost. So each change repeats all names, and so does each push of it.
   */
  readonly repeatsNames: boolean;
}

/** Stands for every resource there is. */
const ALL = "*";

/** Versions as istiod makes them, which says nowhere who it is: the time of its start, and a number. */
const OF_ISTIOD = /^\d{4}-\d\d-\d\dT[\d:.]+Z\/\d+$/;

const NONE: ReadonlyMap<string, string> = new Map();

export class DeltaSession implements AdsSession {
  readonly answersAreWhole = false;
  readonly #options: DeltaSessionOptions;
  /** What the server knows to be wanted, by type URL. */
  readonly #subscribed = new Map<string, Set<string>>();
  /** Types of which the next answer is one to a repetition. */
  readonly #repeated = new Set<string>();
  #introduced = false;

  constructor(options: DeltaSessionOptions) {
    this.#options = options;
  }

  decode(bytes: Uint8Array): AdsAnswer {
    return decodeDeltaAnswer(bytes);
  }

  subscribe(cache: TypeCache): readonly string[] {
    const { wanted, type, typeUrl } = cache;
    const names = new Set(wanted.names.keys());
    if (wanted.all) names.add(ALL);
    const before = this.#subscribed.get(typeUrl);
    if (names.size === 0 && (before === undefined || type.wholeState)) return []; // see SotwSession of the last name
    const added = [...names].filter((name) => before?.has(name) !== true);
    const dropped = [...(before ?? [])].filter((name) => !names.has(name));
    if (before !== undefined && added.length === 0 && dropped.length === 0) return [];
    this.#subscribed.set(typeUrl, names);
    const repeats = this.#options.repeatsNames && type.wholeState && added.length > 0;
    // No name at all in the first request means every one, also to servers that do not know the star.
    const subscribe = before === undefined && names.size === 1 && wanted.all ? [] : repeats ? [...names] : added;
    const initialVersions = before === undefined ? cache.heldVersions() : NONE;
    this.#send({ typeUrl, subscribe, unsubscribe: dropped, initialVersions, nonce: "" });
    return added.filter((name) => name !== ALL);
  }

  acknowledge({ typeUrl, type }: TypeCache, answer: AdsAnswer, refusal: string | undefined): void {
    const { nonce } = answer;
    const error = refusal === undefined ? undefined : { code: REFUSED_CODE, message: refusal };
    this.#send({ typeUrl, subscribe: [], unsubscribe: [], initialVersions: NONE, nonce, error });
    const forgets = type.wholeState && OF_ISTIOD.test(answer.version);
    if (forgets && this.#options.repeatsNames && refusal === undefined) this.#repeat(typeUrl, answer);
  }

  /** A push that comes in between is taken for the answer, and its answer for a push: one repetition more, and no end lost. */
  #repeat(typeUrl: string, { resources }: AdsAnswer): void {
    if (this.#repeated.delete(typeUrl)) return;
    const wanted = [...(this.#subscribed.get(typeUrl) ?? [])];
    const told = new Set(Array.from(resources, ({ name = "" }) => name));
    const all = wanted.includes(ALL);
    if (!all && wanted.every((name) => told.has(name))) return;
    this.#repeated.add(typeUrl);
    // Without the names that it keeps there is nothing to choose by, so it answers everything.
    const unsubscribe = all ? [...told] : [];
    this.#send({ typeUrl, subscribe: wanted, unsubscribe, initialVersions: NONE, nonce: "" });
  }

  #send(request: DeltaRequest): void {
    const node = this.#introduced ? undefined : this.#options.node;
    this.#introduced = true;
    this.#options.send(encodeDeltaRequest({ ...request, node }));
  }
}
