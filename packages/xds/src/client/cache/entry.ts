/** One resource of one type, as far as the process knows it. */

import type { Timer } from "@inmesh/core";
import type { ResourceState, ResourceStatus } from "../watch.js";

export interface Entry<Value> {
  readonly name: string;
  state: ResourceState;
  /** Of the last good bytes. */
  version: string;
  /** The last good ones, a copy: a part of it would keep the whole answer in memory. */
  bytes: Uint8Array | undefined;
  /** Has a meaning only while `bytes` are there. */
  value: Value | undefined;
  /** Bytes that were refused last, so that the same ones cost nothing. */
  refused: Uint8Array | undefined;
  /** Of the answer that held them, and wall ms of it. */
  refusedVersion: string;
  refusedAt: number;
  /** Of the answer that held the last good bytes: where resources have no versions of their own, all there is. */
  answerVersion: string;
  error: string | undefined;
  /** Wall ms. */
  updatedAt: number;
  ttl: Timer | undefined;
}

export function emptyEntry<Value>(name: string): Entry<Value> {
  return {
    name,
    state: "REQUESTED",
    version: "",
    bytes: undefined,
    value: undefined,
    refused: undefined,
    refusedVersion: "",
    refusedAt: 0,
    answerVersion: "",
    error: undefined,
    updatedAt: 0,
    ttl: undefined,
  };
}

export function entryStatus(url: string, entry: Entry<unknown>): ResourceStatus {
  const { name, state, version, answerVersion, bytes, error, updatedAt, refused, refusedVersion, refusedAt } = entry;
  return {
    url,
    name,
    state,
    version: version || answerVersion,
    updatedAt,
    ...(state === "NACKED" && {
      refused: { version: refusedVersion, at: refusedAt, ...(refused === undefined ? {} : { bytes: refused }) },
    }),
    ...(bytes === undefined ? {} : { bytes }),
    ...(error === undefined ? {} : { error }),
  };
}

/** Costs a fraction of reading them. */
export function sameBytes(one: Uint8Array | undefined, other: Uint8Array): boolean {
  return one !== undefined && one.length === other.length && Buffer.compare(one, other) === 0;
}
