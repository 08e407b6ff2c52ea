/** The setting `identity` → where the certificate of this process comes from. */

import { accessSync, constants, existsSync } from "node:fs";
import { dirname, join } from "node:path";
import type { Clock, Random } from "@inmesh/core";
import type { CredentialSource, IdentityNotice } from "@inmesh/identity";
import type { OpenRegistry } from "../plane/open-registry.js";
import { schemeOf } from "../settings/registry-url.js";
import type { MeshSettings } from "../settings/resolve-settings.js";
import { ProcessIdentity } from "./process-identity.js";

/** Folder of the embedded authority, in that of the registry. */
export const CA_FOLDER = ".ca";

/** Decides at once whether there will be one. @returns undefined for a process without an identity */
export function makeIdentity(
  settings: MeshSettings,
  clock: Clock,
  warn: (message: string) => void,
): ProcessIdentity | undefined {
  const { identity, mode } = settings;
  if (mode === "off" || identity === "off") return undefined;
  if (identity === "auto") {
    const folder = caFolder(settings);
    if (folder === undefined) return undefined;
    if (!existsSync(folder) && !canMake(folder)) {
      warn(
        `this process has no identity and calls in plaintext: ${folder} is not there and cannot be made by this user. Set INMESH_IDENTITY to ca:DIR or files:DIR, or to off`,
      );
      return undefined;
    }
  }
  return new ProcessIdentity(clock);
}

export interface FillOptions {
  readonly settings: MeshSettings;
  readonly registry: OpenRegistry;
  readonly clock: Clock;
  readonly random: Random;
  readonly aliases: () => readonly string[];
  readonly onNotice: (notice: IdentityNotice) => void;
}

/** Opens the source and asks it for the first certificate, without waiting for that. Never rejects. */
export async function fillIdentity(identity: ProcessIdentity, options: FillOptions): Promise<void> {
  const { clock, random, aliases, onNotice } = options;
  try {
    const source = await openSource(options);
    const { WorkloadIdentity } = await import("@inmesh/identity");
    const inner = new WorkloadIdentity({ source, clock, random, aliases, onNotice });
    identity.fill(inner);
    inner.start();
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error);
    onNotice({ severity: "error", message: `this process will have no certificate: ${message}` });
    identity.fail(message);
  }
}

async function openSource({ settings, clock, onNotice }: FillOptions): Promise<CredentialSource> {
  const { identity } = settings;
  const { CallbackSource, FileSource } = await import("@inmesh/identity");
  if (typeof identity === "function") return new CallbackSource(identity);
  if (identity.startsWith("files:")) {
    const directory = identity.slice("files:".length);
    return new FileSource({ directory, clock, onWarning: (message) => onNotice({ severity: "warning", message }) });
  }
  throw new Error(`identity ${identity} is not there yet`);
}

/** Undefined where the registry is no folder. */
function caFolder({ config }: MeshSettings): string | undefined {
  if (typeof config !== "string" || schemeOf(config) !== undefined) return undefined;
  return join(/\.(?:ya?ml|json)$/.test(config) ? dirname(config) : config, CA_FOLDER);
}

/** Whether the nearest folder above that exists may be written. */
function canMake(folder: string): boolean {
  let above = dirname(folder);
  while (!existsSync(above) && dirname(above) !== above) above = dirname(above);
  try {
    accessSync(above, constants.W_OK);
    return true;
  } catch {
    return false;
  }
}
