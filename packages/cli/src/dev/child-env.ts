/** The environment that puts a child into the mesh: one flag for Node and a few names, nothing in the child's own code. */

import { createRequire } from "node:module";
import { pathToFileURL } from "node:url";

export interface ChildSettings {
  readonly service: string;
  readonly namespace: string;
  /** Folder of the registry, absolute, or a URL; absent: what the child finds by itself. */
  readonly config?: string;
  readonly labels: Readonly<Record<string, string>>;
  /** The child's own variables: they win. */
  readonly env: Readonly<Record<string, string>>;
  /** Where the child keeps its last good policy; absent: where it would without us. */
  readonly stateDir?: string;
  /** File for a line of each request; whoever sets INMESH_ACCESS_LOG has said otherwise. Absent: none is written. */
  readonly accessLog?: string;
}

/** In bytes: what is older than that, and once more as much, goes. */
const ACCESS_LOG_BYTES = 16 * 1_024 * 1_024;

/** In percent, of traces that begin here: where somebody looks at every request, one in a hundred is none. */
const SAMPLING = "100";

/** Variables that are for `inmesh dev` itself. */
const OWN = "INMESH_DEV_";

/** @param base environment of this process @param register file URL of `@inmesh/node/register` */
export function childEnv(
  base: Readonly<Record<string, string | undefined>>,
  { service, namespace, config, labels, env, stateDir, accessLog }: ChildSettings,
  register: string,
): Record<string, string> {
  const inherited = Object.entries(base).filter((entry): entry is [string, string] => {
    return entry[1] !== undefined && !entry[0].startsWith(OWN);
  });
  const merged: Record<string, string> = { ...Object.fromEntries(inherited), ...env };
  const labelText = Object.entries(labels).map(([name, value]) => `${name}=${value}`);
  return {
    INMESH_TRACING_SAMPLING: SAMPLING,
    ...(accessLog !== undefined && { INMESH_ACCESS_LOG: `json,file=${accessLog},maxBytes=${ACCESS_LOG_BYTES}` }),
    ...merged,
    // NODE_OPTIONS reaches what the child spawns as well; ours stands last, after what the user preloads.
    NODE_OPTIONS: `${merged["NODE_OPTIONS"] ?? ""} --import ${register}`.trim(),
    INMESH_SERVICE: service,
    INMESH_NAMESPACE: namespace,
    ...(config !== undefined && { INMESH_CONFIG: config }),
    ...(labelText.length > 0 && { INMESH_LABELS: labelText.join(",") }),
    ...(stateDir !== undefined && { INMESH_STATE_DIR: stateDir }),
  };
}

/** As a file URL: blanks in a path are escaped, which NODE_OPTIONS needs. @throws when @inmesh/node is not installed */
export function registerUrl(): string {
  return pathToFileURL(createRequire(import.meta.url).resolve("@inmesh/node/register")).href;
}
