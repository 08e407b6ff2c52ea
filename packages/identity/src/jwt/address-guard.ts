/**
 * Which addresses keys may be fetched from. Whoever may write policy could else have this process ask what only this
 * machine may ask: the metadata of its cloud, services on its loopback. Judged is the address that is connected to, after
 * the name was resolved, so that a name that changes its mind in between changes nothing.
 */

import { BlockList, isIP, isIPv6 } from "node:net";

/** Never, unless allowed: this machine, this link, groups, and the metadata services that have addresses of their own. */
const REFUSED: readonly string[] = [
  "0.0.0.0/8",
  "127.0.0.0/8",
  "169.254.0.0/16",
  "100.100.100.200/32", // Alibaba Cloud
  "168.63.129.16/32", // Azure
  "192.0.0.192/32", // Oracle Cloud
  "224.0.0.0/4",
  "240.0.0.0/4",
  "::/128",
  "::1/128",
  "fe80::/10",
  "fec0::/10",
  "ff00::/8",
  "fd00:ec2::/32", // AWS
  "fd20:ce::/32", // Google Cloud
];

export class AddressGuard {
  readonly #refused = listOf(REFUSED);
  readonly #allowed: BlockList;

  /** @param allowed addresses and CIDR blocks that are fetched from in spite of the list above @throws for what is neither */
  constructor(allowed: readonly string[] = []) {
    this.#allowed = listOf(allowed);
  }

  permits(address: string): boolean {
    return embedded(address).every(
      (each) => check(this.#allowed, each) || (isIP(each) !== 0 && !check(this.#refused, each)),
    );
  }
}

function check(list: BlockList, address: string): boolean {
  return list.check(address, isIPv6(address) ? "ipv6" : "ipv4");
}

function listOf(blocks: readonly string[]): BlockList {
  const list = new BlockList();
  for (const block of blocks) {
    const [address = "", bits, rest] = block.split("/");
    const longest = isIP(address) === 6 ? 128 : 32;
    const length = bits === undefined ? longest : Number(bits);
    if (
      isIP(address) === 0 ||
      rest !== undefined ||
      bits === "" ||
      !(Number.isInteger(length) && length >= 0 && length <= longest)
    )
      throw new RangeError(
        `${JSON.stringify(block)} is neither an address nor a block of addresses such as 10.0.0.0/8`,
      );
    list.addSubnet(address, length, longest === 128 ? "ipv6" : "ipv4");
  }
  return list;
}

/** An IPv6 address that stands for one of IPv4 (mapped, translated, 6to4) is judged as that one, too. */
function embedded(address: string): string[] {
  if (!isIPv6(address)) return [address];
  const bare = address.replace(/%.*$/, "");
  const words = wordsOf(bare);
  const v4 = (high: number, low: number): string => `${high >> 8}.${high & 255}.${low >> 8}.${low & 255}`;
  const [a = 0, b = 0, c = 0, d = 0, e = 0, f = 0, g = 0, h = 0] = words;
  if (
    a === 0 &&
    b === 0 &&
    c === 0 &&
    d === 0 &&
    ((e === 0 && (f === 0xffff || (f === 0 && (g !== 0 || h > 1)))) || (e === 0xffff && f === 0))
  )
    return [v4(g, h)];
  if (a === 0x64 && b === 0xff9b) return [bare, v4(g, h)];
  if (a === 0x2002) return [bare, v4(b, c)];
  return [bare];
}

/** @param address a valid one of IPv6 */
function wordsOf(address: string): number[] {
  // The URL parser writes every form alike, the dotted one included.
  const text = new URL(`http://[${address}]`).hostname.slice(1, -1);
  const [head = "", tail] = text.split("::");
  const words = (part: string): number[] =>
    part === "" ? [] : part.split(":").map((word) => Number.parseInt(word, 16));
  if (tail === undefined) return words(head);
  const [before, after] = [words(head), words(tail)];
  return [...before, ...new Array<number>(8 - before.length - after.length).fill(0), ...after];
}
