/** A virtual machine of Google Compute Engine. A pod of GKE would hear of its node. */

import type { Locality } from "@inmesh/model";
import { addressOf, askMetadata, metadataBase, type PlatformContext, placeOf } from "./metadata.js";

/** As Google's own libraries call it: `host` or `host:port`. */
const VARIABLE = "GCE_METADATA_HOST";
const DEFAULT = "http://169.254.169.254";
const FLAVOR = ["metadata-flavor", "Google"] as const;

export async function gceAddress(context: PlatformContext): Promise<string> {
  return addressOf(await ask("network-interfaces/0/ip", context), "network-interfaces/0/ip of the instance");
}

export async function gceLocality(context: PlatformContext): Promise<Locality> {
  const path = await ask("zone", context); // projects/123/zones/europe-west1-b
  const zone = placeOf(path.split("/").at(-1), "zone of the instance");
  return { region: zone.replace(/-[a-z]$/, ""), zone, subZone: "" };
}

function ask(path: string, context: PlatformContext): Promise<string> {
  const given = context.env[VARIABLE];
  const base = given ? metadataBase(VARIABLE, `http://${given}`) : DEFAULT;
  const [name, value] = FLAVOR;
  const request = { headers: { [name]: value }, proof: FLAVOR };
  return askMetadata(`${base}/computeMetadata/v1/instance/${path}`, context, request);
}
