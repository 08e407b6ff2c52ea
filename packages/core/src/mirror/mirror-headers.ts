/** What a copy of a request says differently, as a sidecar's does (measured: policy-semantics §10.7), and the mark against loops. */

import type { MatchRequest } from "@inmesh/model";
import type { InboundContext } from "../call/context.js";
import { MIRRORED_HEADER } from "../call/mesh-headers.js";

const SUFFIX = "-shadow";
const FORWARDED_FOR = "x-forwarded-for";
const INTERNAL = "x-envoy-internal";

/** `reviews:80` → `reviews-shadow:80`. An IPv6 literal stays, or it would be no host any more. */
export function shadowAuthority(authority: string): string {
  if (authority.startsWith("[")) return authority;
  const colon = authority.indexOf(":");
  if (colon < 0) return authority + SUFFIX;
  return authority.slice(0, colon) + SUFFIX + authority.slice(colon);
}

/** A copy already, or made on behalf of one: what is mirrored is not mirrored again. */
export function isMirrored(
  { authority }: Pick<MatchRequest, "authority">,
  context: InboundContext | undefined,
): boolean {
  const colon = authority.indexOf(":");
  if ((colon < 0 ? authority : authority.slice(0, colon)).endsWith(SUFFIX)) return true;
  return context?.forward.includes(MIRRORED_HEADER) === true;
}

/**
 * @param headers flat `[name, value, …]`, as the request itself is sent
 * @param address of this process, as others see it
 */
export function mirrorHeaders(headers: readonly string[], address: string): readonly string[] {
  const lines: string[] = [];
  const hops: string[] = [];
  for (let index = 0; index < headers.length; index += 2) {
    const name = headers[index]!; // flat pairs: both indices are in range
    const key = name.toLowerCase();
    if (key === FORWARDED_FOR) hops.push(headers[index + 1]!);
    else if (key !== INTERNAL) lines.push(name, headers[index + 1]!);
  }
  hops.push(address);
  lines.push(INTERNAL, "true", FORWARDED_FOR, hops.join(","), MIRRORED_HEADER, "1");
  return lines;
}
