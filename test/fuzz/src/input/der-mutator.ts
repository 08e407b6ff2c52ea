/** Changes to DER that keep it DER: lengths fit, so that what is inside is reached. */

import type { Random } from "@inmesh/core";
import { tlv } from "./pki.js";

interface Node {
  tag: number;
  /** Of a constructed one, or of an OCTET STRING that holds DER. */
  children?: Node[];
  value: Buffer;
}

const CONSTRUCTED = 0x20;
const OCTET_STRING = 0x04;
const MAX_DEPTH = 20;
const TAGS = [
  0x01, 0x02, 0x03, 0x04, 0x05, 0x06, 0x0c, 0x13, 0x16, 0x17, 0x18, 0x30, 0x31, 0x80, 0x82, 0x86, 0x87, 0xa0,
];
const EDGES = [0x00, 0x01, 0x2e, 0x2f, 0x40, 0x7f, 0x80, 0xff];

/** @param words whole DER values to be put in @returns what cannot be read as it is */
export function mutateDer(input: Uint8Array, random: Random, words: readonly Uint8Array[]): Uint8Array {
  const root = parse(Buffer.from(input));
  if (root === undefined) return input;
  for (let left = random.int(3) + 1; left > 0; left--) change(root, random, words);
  return encode(root);
}

function change(root: Node, random: Random, words: readonly Uint8Array[]): void {
  const all: { node: Node; siblings: Node[] }[] = [];
  const visit = (siblings: Node[]): void => {
    for (const node of siblings) {
      all.push({ node, siblings });
      if (node.children) visit(node.children);
    }
  };
  visit([root]);
  const { node, siblings } = all[random.int(all.length)]!; // in range: the root is there
  const at = siblings.indexOf(node);
  const dice = random.int(10);
  if (dice < 5 && node.children === undefined) return changeValue(node, random);
  if (dice === 5) siblings.splice(at, 1);
  else if (dice === 6) siblings.splice(at, 0, node);
  else if (dice === 7)
    node.tag = TAGS[random.int(TAGS.length)]!; // in range
  else if (dice === 8) siblings.splice(at, 0, ...siblings.splice(random.int(siblings.length), 1));
  else if (words.length > 0) {
    const word = parse(Buffer.from(words[random.int(words.length)]!)); // in range
    if (word !== undefined) siblings.splice(random.int(2) === 0 ? at : siblings.length, random.int(2), word);
  }
}

function changeValue(node: Node, random: Random): void {
  const value = Buffer.from(node.value);
  const at = random.int(value.length + 1);
  const byte = random.int(2) === 0 ? random.int(256) : EDGES[random.int(EDGES.length)]!; // in range
  const dice = random.int(4);
  if (dice === 0 && at < value.length)
    value[at]! ^= 1 << random.int(8); // in range
  else if (dice === 1 && at < value.length) value[at] = byte;
  if (dice === 2) node.value = Buffer.concat([value.subarray(0, at), Buffer.of(byte), value.subarray(at)]);
  else if (dice === 3) node.value = Buffer.concat([value.subarray(0, at), value.subarray(at + 1)]);
  else node.value = value;
}

function encode({ tag, children, value }: Node): Buffer {
  return tlv(tag, children === undefined ? value : Buffer.concat(children.map(encode)));
}

/** Undefined for what is not one whole value. */
function parse(bytes: Buffer, depth = 0): Node | undefined {
  const all = parseAll(bytes, depth);
  return all?.length === 1 ? all[0] : undefined;
}

function parseAll(bytes: Buffer, depth: number): Node[] | undefined {
  const found: Node[] = [];
  for (let at = 0; at < bytes.length; ) {
    const first = bytes[at + 1] ?? 0xff;
    const more = first < 0x80 ? 0 : first & 0x7f;
    if (more > 2 || first === 0x80 || at + 2 + more > bytes.length || depth > MAX_DEPTH) return undefined;
    const length = more === 0 ? first : bytes.readUIntBE(at + 2, more);
    const from = at + 2 + more;
    if (from + length > bytes.length) return undefined;
    const tag = bytes[at] ?? 0;
    const value = bytes.subarray(from, from + length);
    const inside = (tag & CONSTRUCTED) !== 0 || tag === OCTET_STRING ? parseAll(value, depth + 1) : undefined;
    found.push({ tag, value, ...(inside !== undefined && inside.length > 0 && { children: inside }) });
    at = from + length;
  }
  return found;
}
