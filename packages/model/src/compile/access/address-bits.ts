/**
 * Addresses as text of bits, so that a block is a prefix of what it holds: matched by one comparison, and found by an
 * index like any other prefix.
 */

import ipaddr from "ipaddr.js";

/** Many callers keep their address; more than this begin anew. */
const MOST_KNOWN = 1_024;
const BYTES = Array.from({ length: 256 }, (_, byte) => byte.toString(2).padStart(8, "0"));

export class AddressBits {
  readonly #known = new Map<string, string>();

  /** `4:` or `6:` and the bits; empty for what is no address. An IPv4 address in IPv6's clothes is that of IPv4. */
  of(address: string): string {
    const known = this.#known.get(address);
    if (known !== undefined) return known;
    if (this.#known.size >= MOST_KNOWN) this.#known.clear();
    const bits = address === "" || !ipaddr.isValid(address) ? "" : bitsOf(ipaddr.process(address));
    this.#known.set(address, bits);
    return bits;
  }
}

/**
 * Of an address or a CIDR block.
 * @returns undefined for what is neither
 */
export function blockBits(block: string): string | undefined {
  const slash = block.indexOf("/");
  const address = slash < 0 ? block : block.slice(0, slash);
  if (!ipaddr.isValid(address)) return undefined;
  const parsed = ipaddr.parse(address);
  const most = parsed.kind() === "ipv4" ? 32 : 128;
  const length = slash < 0 ? most : Number(block.slice(slash + 1));
  if (!Number.isInteger(length) || length < 0 || length > most) return undefined;
  const bits = bitsOf(parsed).slice(0, 2 + length);
  // A block of mapped addresses is the block of what they map.
  return /^6:0{80}1{16}/.test(bits) ? `4:${bits.slice(98)}` : bits;
}

function bitsOf(address: ipaddr.IPv4 | ipaddr.IPv6): string {
  const family = address.kind() === "ipv4" ? "4:" : "6:";
  return (
    family +
    address
      .toByteArray()
      .map((byte) => BYTES[byte])
      .join("")
  );
}
