/** The registry behind a name: a folder, a Consul, or a control plane; the packages of the last two are loaded only for one. */

import type { Clock, Lease, ServiceRef, Source, Store } from "@inmesh/core";
import { MeshError } from "@inmesh/core";
import { FolderRegistry } from "@inmesh/core/folder";
import type { ClientContext, ParsedDocuments, ParseOptions, Problem } from "@inmesh/model";
import { CliError, EXIT } from "../exit.js";
import type { ClientView } from "./client-view.js";
import { consulAdvice } from "./consul-advice.js";
import type { RegistryName } from "./registry-name.js";

export interface MeshRegistry {
  readonly kind: RegistryName["kind"];
  /** Without anything secret. */
  readonly shown: string;
  readonly source: Source;
  readonly store: Required<Store>;
  /** Of one that keeps no leases: those of its processes that can be found from here. Never rejects. */
  readonly processes?: () => Promise<readonly Lease[]>;
  /** Why policy of a namespace cannot be written with this command's rights, where the registry can be asked. */
  readonly obstacle?: (namespace: string) => Promise<string | undefined>;
  /** The service, by `namespace/service`, whose users alone read what stands there. @default everybody reads everything */
  readonly readBy?: (where: string) => string | undefined;
  /** Of a control plane. `api`: it tells documents; else what was compiled of them. */
  readonly profile?: "api" | "envoy" | "grpc";
  /** Of one that tells each client what was compiled for it, and no documents: asks as that client. @throws {CliError} */
  readonly viewOf?: (client: ClientContext) => Promise<ClientView>;
  /** What to do about an error that the registry is away, or does not let us. */
  adviceFor(reason: string): string;
  close(): Promise<void>;
}

export interface MeshRegistryOptions {
  readonly parse: (text: string, options: ParseOptions) => ParsedDocuments;
  readonly clock: Clock;
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly onWarning: (warning: Problem) => void;
  /** Whether changes are to be seen. A folder shows them anyway. */
  readonly follow: boolean;
  /** Of who asks, where a registry answers each by who it is. */
  readonly asker?: ServiceRef;
  /** In ms: how long one that tells piece by piece is waited for. */
  readonly timeoutMs?: number;
  /** What is asked of whom, for `--verbose`. */
  readonly trace?: (line: string) => void;
  /** Whose instances alone matter, where a registry tells them service by service. @default everybody's */
  readonly only?: ServiceRef;
}

/** @throws {CliError} for a URL that cannot be used */
export async function meshRegistry(name: RegistryName, options: MeshRegistryOptions): Promise<MeshRegistry> {
  if (name.kind === "consul") return consulRegistry(name.url, options);
  if (name.kind === "xds") return (await import("./xds-registry.js")).xdsRegistry(name, options);
  const { parse, clock, onWarning } = options;
  const folder = new FolderRegistry({ path: name.path, parse, clock, onWarning });
  return {
    ...{ kind: "folder", shown: name.shown, source: folder, store: folder },
    adviceFor: () => FOLDER_ADVICE,
    close: () => folder.close(),
  };
}

async function consulRegistry(
  url: string,
  { parse, clock, env, onWarning, follow, only }: MeshRegistryOptions,
): Promise<MeshRegistry> {
  const { CALLERS_SERVICE, ConsulRegistry, parseConsulUrl, serviceOfKey } = await import("@inmesh/consul");
  try {
    const target = parseConsulUrl(url, env);
    const scope = only === undefined ? "all" : "used";
    const registry = new ConsulRegistry({ target, parse, clock, scope, once: !follow, onWarning });
    if (only !== undefined) {
      registry.use(only);
      registry.use({ namespace: target.namespace, service: CALLERS_SERVICE }); // in case it serves nothing
    }
    const { store, client } = registry;
    return {
      ...{ kind: "consul", shown: client.shown, source: registry, store },
      obstacle: (namespace) => store.obstacle(namespace),
      readBy: (where) => {
        const found = serviceOfKey(target, where);
        return found && `${found.namespace}/${found.service}`;
      },
      adviceFor: (reason) => consulAdvice(reason, target.prefix),
      close: () => registry.close(),
    };
  } catch (error) {
    if (!(error instanceof MeshError)) throw error;
    throw new CliError(EXIT.usage, error.message, "Correct it: --config consul://HOST:8500, or INMESH_CONFIG.");
  }
}

const FOLDER_ADVICE = "Name the folder of the mesh with --config DIR or INMESH_CONFIG, and check that you may read it.";
