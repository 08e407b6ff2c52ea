/** Which addresses this machine can reach, by those it has itself: what Istio goes by for its DnsLookupFamily. */

import { networkInterfaces } from "node:os";

export interface AddressFamilies {
  readonly v4: boolean;
  readonly v6: boolean;
}

/** Both on a machine that has but its loopback. */
export function addressFamilies(interfaces = networkInterfaces()): AddressFamilies {
  const addresses = Object.values(interfaces).flatMap((each) => each ?? []);
  const outward = addresses.filter(({ internal, address }) => !internal && !address.startsWith("fe80:"));
  const v4 = outward.some(({ family }) => family === "IPv4");
  const v6 = outward.some(({ family }) => family === "IPv6");
  return v4 || v6 ? { v4, v6 } : { v4: true, v6: true };
}
