/** The registry that a mesh's `config` names, and where its last good state is kept. */

import { mkdir } from "node:fs/promises";
import { type Clock, MemoryRegistry, type Registrar, type Source } from "@inmesh/core";
import { FolderRegistry } from "@inmesh/core/folder";
import { StateFile, stateDirectory } from "@inmesh/core/internal";
import { type Problem, parseDocuments } from "@inmesh/model";
import { homeDirectory } from "../settings/home-directory.js";
import type { MeshSettings } from "../settings/resolve-settings.js";

export interface OpenRegistry {
  /** For display: a path, or `memory`. */
  readonly url: string;
  readonly source: Source;
  readonly registrar: Registrar;
  /** Undefined where there is nothing that could be away. */
  readonly state: StateFile | undefined;
}

export interface OpenRegistryOptions {
  readonly settings: MeshSettings;
  readonly clock: Clock;
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Told once per trouble. */
  readonly onWarning: (warning: Pick<Problem, "code" | "message">) => void;
}

export async function openRegistry({ settings, clock, env, onWarning }: OpenRegistryOptions): Promise<OpenRegistry> {
  const { config, namespace, service, stateDir, ownConfig } = settings;
  if (typeof config !== "string") {
    const shared = "openSource" in config ? config : new MemoryRegistry({ documents: config, clock });
    return { url: "memory", source: shared.openSource(), registrar: shared, state: undefined };
  }
  // Nobody named this folder, so nobody else makes it. A path that was named and is missing may still be mounted.
  if (ownConfig) {
    try {
      await mkdir(config, { recursive: true, mode: 0o700 });
    } catch (error) {
      onWarning({ code: "", message: noFolder(config, error) });
      const nothing = new MemoryRegistry({ documents: [], clock });
      return { url: "memory", source: nothing.openSource(), registrar: nothing, state: undefined };
    }
  }
  const folder = new FolderRegistry({ path: config, parse: parseDocuments, clock, onWarning });
  const where = stateDir === undefined ? env : { ...env, INMESH_STATE_DIR: stateDir };
  const directory = stateDirectory(where, { registry: folder.path, namespace, service }, homeDirectory);
  return { url: folder.path, source: folder, registrar: folder, state: new StateFile({ directory, clock, onWarning }) };
}

function noFolder(config: string, error: unknown): string {
  const reason = error instanceof Error && "code" in error ? String(error.code) : String(error);
  return `there is no registry: none was named, and ${config} cannot be made (${reason}). Calls go out as without a mesh, and others do not find this process; set INMESH_CONFIG to a folder with policy`;
}
