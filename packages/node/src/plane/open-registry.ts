/** The registry that a mesh's `config` names, and where its last good state is kept. */

import { mkdir } from "node:fs/promises";
import {
  type Clock,
  type CredentialSource,
  type Identity,
  MemoryRegistry,
  type Random,
  type Registrar,
  type ServiceRef,
  type SnapshotStore,
  type Source,
} from "@inmesh/core";
import { FolderRegistry } from "@inmesh/core/folder";
import { type PolicyFeed, StateFile, stateDirectory } from "@inmesh/core/internal";
import { type ClientContext, type Locality, type Problem, parseDocuments } from "@inmesh/model";
import type { ResourceStatus, XdsNode, XdsStatus, XdsTraffic } from "@inmesh/xds/client";
import { homeDirectory } from "../settings/home-directory.js";
import { isConsul, isXds } from "../settings/registry-url.js";
import type { MeshSettings } from "../settings/resolve-settings.js";
import type { SharedServer } from "../whereabouts/surroundings.js";

export interface OpenRegistry {
  /** For display: a path, `memory`, or a URL without anything secret. */
  readonly url: string;
  readonly source: Source;
  readonly registrar: Registrar;
  /** Undefined where there is nothing that could be away. */
  readonly state: StateFile | undefined;
  /** Where its own traffic goes, which is none of the mesh's business: `host:port`, as option `exclude` takes it. */
  readonly server?: string;
  /** Whether processes of the mesh say there that they leave, before they remove their lease. @default false */
  readonly farewells?: boolean;
  /** Certificates of its own authority, where it has one. */
  readonly credentials?: (options: CredentialOptions) => CredentialSource;
  /** Of one that other machines use, too: callers may be on any of them. */
  readonly shared?: SharedServer;
  /** Processes write no lease there: in words who tells it of them. Absent: they do. */
  readonly registersElsewhere?: string;
  /** Of a control plane: what stands between it and this process. */
  readonly xds?: XdsInsight;
  /** Of one whose policy arrives compiled: what fills the store in place of a pipeline over `source`. */
  readonly feed?: (options: FeedOptions) => PolicyFeed;
}

/** What is known of a control plane, resource by resource. */
export interface XdsInsight {
  readonly profile: "api" | "envoy" | "grpc";
  /** Who this process is there, as a Node message says it. */
  readonly node: XdsNode;
  readonly status: XdsStatus;
  /** Of a resource of Envoy's. @throws {WireError} */
  json(url: string, bytes: Uint8Array): Readonly<Record<string, unknown>>;
  /** All that are wanted or known, of every stream. */
  resources(): readonly ResourceStatus[];
  /** By type, of every stream. */
  traffic(): readonly XdsTraffic[];
}

export interface FeedOptions {
  readonly store: SnapshotStore;
  readonly client: ClientContext;
  readonly clock: Clock;
}

export interface CredentialOptions {
  readonly service: ServiceRef;
  readonly onWarning: (message: string) => void;
}

export interface OpenRegistryOptions {
  readonly settings: MeshSettings;
  readonly clock: Clock;
  readonly random: Random;
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Where this process is, where that is known. */
  readonly locality: Locality | undefined;
  /** With which the registry may be asked; undefined: there is none, and none will come. */
  readonly identity: Identity | undefined;
  /** Told once per trouble. */
  readonly onWarning: (warning: Pick<Problem, "code" | "message">) => void;
}

/** @throws {MeshError} CONFIG_INVALID when a URL names no registry that can be used */
export async function openRegistry(options: OpenRegistryOptions): Promise<OpenRegistry> {
  const { settings, clock, onWarning } = options;
  const { config, ownConfig } = settings;
  if (typeof config !== "string") return memory(config, clock);
  if (isConsul(config)) {
    const { openConsul } = await import("./open-consul.js");
    const consul = openConsul(config, options);
    return { ...consul, state: stateOf(consul.url, options) };
  }
  if (isXds(config)) {
    const { openXds } = await import("./open-xds.js");
    return openXds(config, options, (registry) => stateOf(registry, options));
  }
  // Nobody named this folder, so nobody else makes it. A path that was named and is missing may still be mounted.
  if (ownConfig) {
    try {
      await mkdir(config, { recursive: true, mode: 0o700 });
    } catch (error) {
      onWarning({ code: "", message: noFolder(config, error) });
      return memory([], clock);
    }
  }
  const folder = new FolderRegistry({ path: config, parse: parseDocuments, clock, onWarning });
  return { url: folder.path, source: folder, registrar: folder, state: stateOf(folder.path, options) };
}

function memory(config: Exclude<MeshSettings["config"], string>, clock: Clock): OpenRegistry {
  const shared = "openSource" in config ? config : new MemoryRegistry({ documents: config, clock });
  return { url: "memory", source: shared.openSource(), registrar: shared, state: undefined };
}

function stateOf(registry: string, { settings, clock, env, onWarning }: OpenRegistryOptions): StateFile {
  const { namespace, service, stateDir } = settings;
  const where = stateDir === undefined ? env : { ...env, INMESH_STATE_DIR: stateDir };
  const owner = { registry, namespace, service };
  return new StateFile({ directory: stateDirectory(where, owner, homeDirectory), owner, clock, onWarning });
}

function noFolder(config: string, error: unknown): string {
  const reason = error instanceof Error && "code" in error ? String(error.code) : String(error);
  return `there is no registry: none was named, and ${config} cannot be made (${reason}). Calls go out as without a mesh, and others do not find this process; set INMESH_CONFIG to a folder with policy`;
}
