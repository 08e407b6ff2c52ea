/** Ids of traces and spans that the mesh begins itself. */

import type { Random } from "@inmesh/core";

const WORD = 2 ** 32;
/** Of a byte. Numbers that are written out by V8 cost eight times as much. */
const HEX = Array.from({ length: 256 }, (_, byte) => byte.toString(16).padStart(2, "0"));

export function newTraceId(random: Random): string {
  return newId(random, 4);
}

export function newSpanId(random: Random): string {
  return newId(random, 2);
}

/** @param words of 8 hexadecimal digits; the last is never 0, so that the whole is none of zeros */
function newId(random: Random, words: number): string {
  let id = "";
  for (let word = 1; word < words; word++) id += hex(Math.floor(random.next() * WORD));
  return id + hex(1 + Math.floor(random.next() * (WORD - 1)));
}

function hex(word: number): string {
  return HEX[word >>> 24]! + HEX[(word >>> 16) & 255]! + HEX[(word >>> 8) & 255]! + HEX[word & 255]!; // bytes
}
