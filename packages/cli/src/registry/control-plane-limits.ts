/** What a control plane does not do as a registry: it takes no policy, and some tell none. Said before anything is done. */

import type { Cli } from "../cli.js";
import { CliError, EXIT } from "../exit.js";
import type { OpenRegistry } from "./open-registry.js";
import { registryName } from "./registry-name.js";

/**
 * @param command that would write: `apply`
 * @param instead a sentence about who does it there
 * @throws {CliError} where the registry cannot be written by anybody
 */
export function refuseToWrite(
  cli: Cli,
  options: { readonly config?: string },
  command: string,
  instead = "Write where it reads: kubectl apply -f FILE, or its own folder. What that would change tells: inmesh diff -f FILE.",
): void {
  const { kind, shown } = registryName(options, cli);
  if (kind !== "xds") return;
  throw new CliError(
    EXIT.usage,
    `"${shown}" is a control plane: it tells policy as it is now and takes none, so inmesh ${command} does nothing there`,
    instead,
  );
}

/**
 * @param what documents are needed for: `list policy`
 * @throws {CliError} where the registry tells only what was compiled of them
 */
export function needDocuments({ shown, profile }: OpenRegistry, what: string): void {
  if (profile === undefined || profile === "api") return;
  const text = `"${shown}" tells what was compiled for ${profile === "grpc" ? "a gRPC client" : "an Envoy"}, and no documents to ${what}`;
  const api = shown.replace(/([?&]profile=)(?:envoy|grpc)/, "$1api");
  throw new CliError(
    EXIT.usage,
    text,
    `Under an istiod: --config '${api}'. What it tells: inmesh xds dump '${shown}'.`,
  );
}
