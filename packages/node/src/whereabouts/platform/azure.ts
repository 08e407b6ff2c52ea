/** A virtual machine of Azure: instance metadata service. */

import type { Locality } from "@inmesh/model";
import { addressOf, askMetadataJson, listOf, type PlatformContext, placeOf, recordOf } from "./metadata.js";

const DEFAULT = "http://169.254.169.254";
const VERSION = "2021-02-01";

/** @param base Azure's own libraries have no variable for it */
export async function azureAddress(context: PlatformContext, base = DEFAULT): Promise<string> {
  const { network } = await ask(context, base);
  const [first] = listOf(recordOf(network)["interface"]).map(recordOf);
  const [address] = listOf(recordOf(first?.["ipv4"])["ipAddress"]).map(recordOf);
  return addressOf(address?.["privateIpAddress"], "the first interface of the machine");
}

/** Zones are numbers of a region: `westeurope-1`, as Kubernetes calls them there. */
export async function azureLocality(context: PlatformContext, base = DEFAULT): Promise<Locality> {
  const { location, zone } = recordOf((await ask(context, base))["compute"]);
  const region = placeOf(location, "location of the machine");
  return {
    region,
    zone: zone === undefined || zone === "" ? "" : placeOf(`${region}-${zone}`, "zone of the machine"),
    subZone: "",
  };
}

function ask(context: PlatformContext, base: string): Promise<Readonly<Record<string, unknown>>> {
  return askMetadataJson(`${base}/metadata/instance?api-version=${VERSION}`, context, {
    headers: { metadata: "true" },
  });
}
