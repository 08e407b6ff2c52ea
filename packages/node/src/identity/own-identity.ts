/** The setting `identity` → where the certificate of this process comes from. */

import { accessSync, constants, existsSync, readFileSync, statSync } from "node:fs";
import { dirname, join } from "node:path";
import type { Clock, CredentialSource, Random } from "@inmesh/core";
import { messageOf } from "@inmesh/core";
import type { IdentityNotice } from "@inmesh/identity";
import { spiffeId } from "@inmesh/model";
import type { OpenRegistry } from "../plane/open-registry.js";
import { isXds, schemeOf } from "../settings/registry-url.js";
import type { MeshSettings } from "../settings/resolve-settings.js";
import { type FoundIdentityOptions, foundIdentity } from "./found-identity.js";
import { ProcessIdentity } from "./process-identity.js";

/** Folder of the embedded authority, in that of the registry. */
const CA_FOLDER = ".ca";
/** What says that there is an authority. */
const RECORD = "ca.json";
/** MeshConfig's. */
const DEFAULT_TRUST_DOMAIN = "cluster.local";

/** Decides at once whether there will be one. @returns undefined for a process without an identity */
export function makeIdentity(
  settings: MeshSettings,
  clock: Clock,
  warn: (message: string) => void,
): ProcessIdentity | undefined {
  const { identity, mode } = settings;
  if (mode === "off" || identity === "off") return undefined;
  const { config } = settings;
  if (identity === "auto" && typeof config === "string" && isXds(config)) {
    return foundIdentity(config, SURROUNDINGS) === undefined ? undefined : new ProcessIdentity(clock);
  }
  if (identity === "auto") {
    const folder = caFolder(settings);
    if (folder === undefined) return undefined;
    if (!existsSync(folder) && !canMake(folder)) {
      // A registry that cannot be made is told of by itself.
      if (!existsSync(dirname(folder))) return undefined;
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
  /** Of policy, its own first; undefined while there is no configuration. */
  readonly trustDomains: () => readonly string[] | undefined;
  /** Resolves when there is configuration, or it is not worth waiting any longer. */
  readonly configured: () => Promise<unknown>;
  readonly onNotice: (notice: IdentityNotice) => void;
}

/** Opens the source and asks it for the first certificate, without waiting for that. Never rejects. */
export async function fillIdentity(identity: ProcessIdentity, options: FillOptions): Promise<void> {
  const { clock, random, trustDomains, onNotice } = options;
  try {
    const source = await openSource(options);
    const { WorkloadIdentity } = await import("@inmesh/identity");
    const aliases = (): readonly string[] => trustDomains() ?? [];
    const inner = new WorkloadIdentity({ source, clock, random, aliases, onNotice });
    identity.fill(inner, () => inner.refresh());
    inner.start();
  } catch (error) {
    const message = messageOf(error);
    onNotice({ severity: "error", message: `this process will have no certificate: ${message}` });
    identity.fail(message);
  }
}

async function openSource(options: FillOptions): Promise<CredentialSource> {
  const { settings, clock, registry, onNotice } = options;
  const identity = namedIdentity(settings);
  const { CallbackSource, FileSource } = await import("@inmesh/identity");
  if (typeof identity === "function") return new CallbackSource(identity);
  if (identity.startsWith("files:")) {
    const directory = identity.slice("files:".length);
    return new FileSource({ directory, clock, onWarning: (message) => onNotice({ severity: "warning", message }) });
  }
  if (identity === "connect") {
    const { namespace, service } = settings;
    const onWarning = (message: string): void => onNotice({ severity: "warning", message });
    const source = registry.credentials?.({ service: { namespace, service }, onWarning });
    if (source === undefined) throw new Error(`identity connect is Consul's, and the registry is ${registry.url}`);
    return source;
  }
  if (/^(?:istio-ca|spiffe)(?::|$)/.test(identity)) {
    const { istioCaSource, spiffeSource } = await import("./control-plane-source.js");
    const make = identity.startsWith("spiffe") ? spiffeSource : istioCaSource;
    return make(identity, { ...options, env: process.env });
  }
  const directory = identity.startsWith("ca:") ? identity.slice("ca:".length) : caFolder(settings);
  if (directory === undefined) throw new Error(`identity ${identity} needs a folder: write ca:DIR, or files:DIR`);
  return authoritySource(directory, options);
}

/** What was found in place of `auto`. */
function namedIdentity({ identity, config }: MeshSettings): MeshSettings["identity"] {
  if (identity !== "auto" || typeof config !== "string" || !isXds(config)) return identity;
  const found = foundIdentity(config, SURROUNDINGS);
  if (found === undefined) throw new Error("what a certificate was to be had with is gone");
  return found as MeshSettings["identity"];
}

const SURROUNDINGS: FoundIdentityOptions = {
  env: process.env,
  exists: existsSync,
  readFile: (path) => readFileSync(path, "utf8"),
};

async function authoritySource(directory: string, options: FillOptions): Promise<CredentialSource> {
  const { settings, clock, random, trustDomains, onNotice } = options;
  const { AuthoritySource } = await import("@inmesh/identity");
  return new AuthoritySource({
    description: `the CA in ${directory}`,
    async open() {
      const { FolderAuthority } = await import("@inmesh/identity/ca");
      // A folder that was named and is missing may still be mounted: nothing is made in its place.
      if (!existsSync(dirname(directory))) throw new Error(`there is no folder ${dirname(directory)}`);
      // A new one is made for the trust domain that policy names.
      if (!existsSync(join(directory, RECORD))) await options.configured();
      const make = { trustDomain: trustDomains()?.[0] ?? DEFAULT_TRUST_DOMAIN };
      const onWarning = (message: string): void => onNotice({ severity: "warning", message });
      return FolderAuthority.open({ directory, clock, random, make, onWarning });
    },
    nameIn(domains) {
      const own = trustDomains()?.find((domain) => domains.includes(domain)) ?? domains[0] ?? DEFAULT_TRUST_DOMAIN;
      return spiffeId(own, settings.namespace, settings.serviceAccount ?? settings.service);
    },
  });
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
    return statSync(above).isDirectory();
  } catch {
    return false;
  }
}
