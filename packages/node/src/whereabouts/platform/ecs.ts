/** A task of Amazon ECS: task metadata endpoint, version 4. */

import type { Locality } from "@inmesh/model";
import {
  addressOf,
  askMetadataJson,
  listOf,
  metadataBase,
  type PlatformContext,
  placeOf,
  recordOf,
} from "./metadata.js";

export const ECS_VARIABLE = "ECS_CONTAINER_METADATA_URI_V4";

/** The address of the task's own network interface. */
export async function ecsAddress(context: PlatformContext): Promise<string> {
  const networks = listOf((await askMetadataJson(base(context), context))["Networks"]).map(recordOf);
  const own = networks.find(({ NetworkMode }) => NetworkMode === "awsvpc");
  if (own === undefined) {
    const mode = String(networks[0]?.["NetworkMode"] ?? "none");
    throw new Error(
      `the task's network mode is ${mode}, in which it has no address of its own that others reach: use awsvpc, or ec2 with the ports of the host`,
    );
  }
  const [address] = [...listOf(own["IPv4Addresses"]), ...listOf(own["IPv6Addresses"])];
  return addressOf(address, "the task's network");
}

export async function ecsLocality(context: PlatformContext): Promise<Locality> {
  const { AvailabilityZone, TaskARN } = await askMetadataJson(`${base(context)}/task`, context);
  const zone = placeOf(AvailabilityZone, "AvailabilityZone of the task");
  // arn:aws:ecs:REGION:…; not every zone is its region and a letter.
  const region = placeOf(String(TaskARN).split(":")[3], "TaskARN of the task");
  return { region, zone, subZone: "" };
}

function base({ env }: PlatformContext): string {
  const uri = env[ECS_VARIABLE];
  if (uri === undefined || uri === "") throw new Error(`${ECS_VARIABLE} is not set: this is no task of ECS`);
  return metadataBase(ECS_VARIABLE, uri);
}
