/** An instance of Amazon EC2: instance metadata service, version 2, which wants a token first. */

import type { Locality } from "@inmesh/model";
import { addressOf, askMetadata, metadataBase, type PlatformContext, placeOf } from "./metadata.js";

/** As AWS's own libraries call it. */
const VARIABLE = "AWS_EC2_METADATA_SERVICE_ENDPOINT";
const DEFAULT = "http://169.254.169.254";
const TOKEN_HEADER = "x-aws-ec2-metadata-token";

export async function ec2Address(context: PlatformContext): Promise<string> {
  const ask = await session(context);
  const address = await ask("local-ipv4").catch(() => ask("ipv6")); // a subnet may have no IPv4
  return addressOf(address, "local-ipv4 of the instance");
}

export async function ec2Locality(context: PlatformContext): Promise<Locality> {
  const ask = await session(context);
  const [zone, region] = await Promise.all([ask("placement/availability-zone"), ask("placement/region")]);
  return {
    region: placeOf(region, "placement/region"),
    zone: placeOf(zone, "placement/availability-zone"),
    subZone: "",
  };
}

async function session(context: PlatformContext): Promise<(path: string) => Promise<string>> {
  const given = context.env[VARIABLE];
  const base = given ? metadataBase(VARIABLE, given) : DEFAULT;
  const headers = { [`${TOKEN_HEADER}-ttl-seconds`]: "60" };
  const token = await askMetadata(`${base}/latest/api/token`, context, { method: "PUT", headers }).catch((error) => {
    throw new Error(
      `${(error as Error).message}: this is no EC2 instance, or its metadata service is off; for containers its hop limit has to be 2`,
    );
  });
  return (path) => askMetadata(`${base}/latest/meta-data/${path}`, context, { headers: { [TOKEN_HEADER]: token } });
}
