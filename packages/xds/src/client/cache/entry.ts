/** One resource of one type, as far as the process knows it. Of thousands nearly all are well: what tells of trouble lies apart. */

import type { ResourceState, ResourceStatus } from "../watch.js";
import type { Shelved } from "./byte-shelf.js";

export interface Entry<Value> {
  /** One text for as long as it is known. */
  readonly name: string;
  state: ResourceState;
  /** The last good bytes, and their own version. */
  sent: Shelved | undefined;
  /** Has a meaning only while `sent` is there. */
  value: Value | undefined;
  /** Of the answer that held the last good bytes: where resources have no versions of their own, all there is. */
  answerVersion: string;
  /** Of the last good ones. */
  updated: Moment;
  trouble: Trouble | undefined;
}

/** One object for all that came with one answer: a number for each would be an object, too. */
export interface Moment {
  /** Wall ms. */
  readonly at: number;
}

/** Undefined: not that. */
export interface Trouble {
  /** What is wrong now. */
  readonly error: string | undefined;
  /** What was refused last. */
  readonly refusal: Refusal | undefined;
}

export interface Refusal {
  /** So that the same ones cost nothing. Absent where the same name came twice. */
  readonly bytes: Uint8Array | undefined;
  /** Of the answer that held them, or their own. */
  readonly version: string;
  /** Wall ms. */
  readonly at: number;
}

const NEVER: Moment = { at: 0 };

export function emptyEntry<Value>(name: string): Entry<Value> {
  return {
    name,
    state: "REQUESTED",
    sent: undefined,
    value: undefined,
    answerVersion: "",
    updated: NEVER,
    trouble: undefined,
  };
}

/** The refusal before it stays known. */
export function tellError(entry: Entry<unknown>, state: ResourceState, error: string): void {
  entry.state = state;
  entry.trouble = { error, refusal: entry.trouble?.refusal };
}

export function entryStatus(url: string, entry: Entry<unknown>): ResourceStatus {
  const { name, state, sent, answerVersion, updated, trouble } = entry;
  const { error, refusal } = trouble ?? {};
  return {
    url,
    name,
    state,
    version: sent?.version || answerVersion,
    updatedAt: updated.at,
    ...(state === "NACKED" && refusal !== undefined && { refused: refusedOf(refusal) }),
    ...(sent === undefined ? {} : { bytes: sent.read() }),
    ...(error === undefined ? {} : { error }),
  };
}

function refusedOf({ version, at, bytes }: Refusal): NonNullable<ResourceStatus["refused"]> {
  return { version, at, ...(bytes === undefined ? {} : { bytes }) };
}
