/** Where the endpoints of a cluster come from. */

import type { Cluster } from "@inmesh/model";

export type EndpointSource = "registry" | "asAsked" | "byRequest" | "byName" | "firstByName";

export function sourceOf({ policy, service: { resolution } }: Cluster): EndpointSource {
  if (resolution === "dynamicDns") return "byRequest";
  if (policy.loadBalancer === "passThrough" || resolution === "passThrough") return "asAsked";
  if (resolution === "dns") return "byName";
  return resolution === "dnsRoundRobin" ? "firstByName" : "registry";
}
