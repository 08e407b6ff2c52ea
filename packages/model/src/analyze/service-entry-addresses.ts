/** TCP ports of ServiceEntries without addresses, judged as Istio's analyzer does. policy-semantics §6.8. */

import type { MeshConfigSpec } from "../kind/mesh-config.js";
import type { ServiceEntrySpec } from "../kind/service-entry.js";
import type { Resource } from "../resource.js";
import type { Finding } from "./finding.js";

const ADDRESSES_REQUIRED = "IST0134";

/**
 * Whatever the resolution: that Istio may hand out addresses by itself is a matter of each cluster, and only the older
 * switch for it stands in MeshConfig.
 */
export function checkAddresses(
  resource: Resource<ServiceEntrySpec>,
  mesh: Resource<MeshConfigSpec> | undefined,
  report: Finding,
): void {
  const { addresses = [], ports = [] } = resource.spec;
  if (addresses.length > 0 || allocates(mesh)) return;
  for (const [index, { protocol = "", number }] of ports.entries()) {
    if (protocol !== "" && protocol.toUpperCase() !== "TCP") continue;
    const message = `port ${number} is TCP and the entry has no addresses: a sidecar cannot tell its calls from those of other TCP services. Add addresses, or name the protocol.`;
    report(resource, ["spec", "ports", index], ADDRESSES_REQUIRED, "warning", message);
  }
}

function allocates(mesh: Resource<MeshConfigSpec> | undefined): boolean {
  const metadata = mesh?.spec.defaultConfig?.proxyMetadata ?? {};
  return metadata["ISTIO_META_DNS_CAPTURE"] === "true" && metadata["ISTIO_META_DNS_AUTO_ALLOCATE"] === "true";
}
