/** Revision of a set of documents: equal sets have equal ones, in whatever order they were read. */

import type { Resource } from "../resource.js";

/** Sums of the documents' hashes, 32 bits each, so that one change costs one document. */
export type RevisionSums = readonly [number, number, number, number];

export const NO_DOCUMENTS: RevisionSums = [0, 0, 0, 0];

export function changeSums(sums: RevisionSums, removed: readonly Resource[], added: readonly Resource[]): RevisionSums {
  const next: [number, number, number, number] = [...sums];
  for (const resource of removed) addTo(next, resource, -1);
  for (const resource of added) addTo(next, resource, 1);
  return next;
}

export function revisionText(sums: RevisionSums): string {
  return sums.map((sum) => sum.toString(16).padStart(8, "0")).join("");
}

/** The key belongs to it: a namespace may have come from where the document lay, not from its text. */
function addTo(sums: [number, number, number, number], { key, hash }: Resource, sign: 1 | -1): void {
  const keyed = fnv1a(key);
  for (let lane = 0; lane < 4; lane++) {
    const part = Number.parseInt(hash.slice(lane * 8, lane * 8 + 8) || "0", 16);
    const mixed = Math.imul(part ^ keyed, 0x9e3779b1 + 2 * lane); // odd factors: nothing is lost
    sums[lane] = (sums[lane]! + sign * mixed) >>> 0; // four lanes
  }
}

/** 32-bit FNV-1a. */
function fnv1a(text: string): number {
  let hash = 0x811c9dc5;
  for (let index = 0; index < text.length; index++) hash = Math.imul(hash ^ text.charCodeAt(index), 0x01000193);
  return hash >>> 0;
}
