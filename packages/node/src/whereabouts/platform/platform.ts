/** What each platform that can be asked answers. */

import type { Locality } from "@inmesh/model";
import { azureAddress, azureLocality } from "./azure.js";
import { ec2Address, ec2Locality } from "./ec2.js";
import { ECS_VARIABLE, ecsAddress, ecsLocality } from "./ecs.js";
import { gceAddress, gceLocality } from "./gce.js";
import type { PlatformContext } from "./metadata.js";
import type { PlatformName } from "./platform-name.js";

interface Answers {
  readonly address: string;
  readonly locality: Locality;
}

type Platform = { readonly [What in keyof Answers]: (context: PlatformContext) => Promise<Answers[What]> };

const PLATFORMS: Readonly<Record<PlatformName, Platform>> = {
  ecs: { address: ecsAddress, locality: ecsLocality },
  ec2: { address: ec2Address, locality: ec2Locality },
  gce: { address: gceAddress, locality: gceLocality },
  azure: { address: azureAddress, locality: azureLocality },
  auto: { address: (context) => whoever("address", context), locality: (context) => whoever("locality", context) },
};

/** @throws {Error} in one sentence, when the platform is another or does not say */
export function platformAddress(name: PlatformName, context: PlatformContext): Promise<string> {
  return PLATFORMS[name].address(context);
}

/** As `platformAddress`. */
export function platformLocality(name: PlatformName, context: PlatformContext): Promise<Locality> {
  return PLATFORMS[name].locality(context);
}

/** An ECS task has a place of its own on the instance it may run on; of the others at most one answers. */
async function whoever<What extends keyof Answers>(what: What, context: PlatformContext): Promise<Answers[What]> {
  if (context.env[ECS_VARIABLE]) return PLATFORMS.ecs[what](context);
  const answers = await Promise.allSettled(
    (["ec2", "gce", "azure"] as const).map((name) => PLATFORMS[name][what](context)),
  );
  const found = answers.find((answer) => answer.status === "fulfilled");
  if (found !== undefined) return found.value;
  throw new Error("no metadata of ECS, EC2, Google or Azure answers here");
}
