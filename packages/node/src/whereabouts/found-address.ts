/**
 * Where others reach this process, when nobody said. The first server that listens decides, unless it listens on every
 * address of the machine; then it depends on where callers are (pitfalls D8). Whatever is chosen is told with its reason.
 */

import type { NetworkInterfaceInfo } from "node:os";
import type { Listener } from "@inmesh/http/server";

/** Of a machine that shares a registry with others. */
export interface Surroundings {
  /** What an agent on this machine tells others of it; absent where there is none, or it does not say. */
  readonly agent?: string;
  /** The address from which this machine talks to the registry; absent where that is on this machine. */
  readonly towards?: string;
  readonly interfaces: Readonly<Record<string, readonly NetworkInterfaceInfo[] | undefined>>;
}

export interface FoundAddress {
  readonly address: string;
  /** Half a sentence: `10.0.0.3, …`. */
  readonly why: string;
}

const ANY_V4 = "0.0.0.0";
const ANY = new Set(["::", ANY_V4, ""]);
const HERE = "127.0.0.1";

/** @param surroundings undefined where all callers are on this machine: the registry is a folder */
export function foundAddress(listeners: readonly Listener[], surroundings: Surroundings | undefined): FoundAddress {
  const bound = listeners[0]?.address ?? "";
  if (!ANY.has(bound)) return { address: plain(bound), why: "its first server is bound to it" };
  if (surroundings === undefined) return { address: HERE, why: "callers are on this machine" };
  const { agent, towards, interfaces } = surroundings;
  const fits = (address: string): boolean => bound !== ANY_V4 || !address.includes(":");
  const own = Object.values(interfaces).flatMap((entries) => (entries ?? []).map(({ address }) => address));
  // Through a tunnel an agent elsewhere looks like one here: only what is this machine's counts.
  if (agent !== undefined && fits(agent) && (own.includes(agent) || isLoopback(agent))) {
    return { address: agent, why: "the registry's agent on this machine tells others the same" };
  }
  if (towards !== undefined && fits(towards)) {
    return { address: towards, why: "this machine talks to the registry from it" };
  }
  const outward = Object.entries(interfaces).flatMap(([name, entries]) =>
    (entries ?? []).flatMap(({ address, internal }) => (internal || isLinkLocal(address) ? [] : { name, address })),
  );
  const first = outward.find(({ address }) => !address.includes(":")) ?? outward.find(({ address }) => fits(address));
  if (first === undefined) return { address: HERE, why: "this machine has no other" };
  return { address: first.address, why: `it is the first of ${first.name}` };
}

export function isLoopback(address: string): boolean {
  return address === "::1" || /^(::ffff:)?127\./.test(address);
}

/** Of use on its own network segment only, and in IPv6 only together with an interface. */
export function isLinkLocal(address: string): boolean {
  return /^169\.254\.|^fe[89ab][0-9a-f]:/i.test(address);
}

/** An IPv4 address as an IPv6 socket shows it, as it is written. */
function plain(address: string): string {
  return address.startsWith("::ffff:") ? address.slice("::ffff:".length) : address;
}
