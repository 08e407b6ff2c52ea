/** Running processes that do not trust a root yet, by their own word. */

import type { CertsView } from "@inmesh/core/admin";
import type { Cli } from "../cli.js";
import { CliError } from "../exit.js";
import { adminClient } from "../live/admin-client.js";
import { processName, readProcesses } from "../live/processes.js";
import { withOpenRegistry } from "../registry/open-registry.js";
import type { CaOptions } from "./authority.js";

/**
 * Those that do not answer, or have no identity, say nothing.
 * @param fingerprint SHA-256 in lower-case hex
 */
export async function unawareProcesses(options: CaOptions, cli: Cli, fingerprint: string): Promise<readonly string[]> {
  try {
    return await withOpenRegistry(options, cli, async ({ view: { leases } }) => {
      const found = await readProcesses<CertsView>(adminClient(cli, options), leases, "/certs", ["identity", "roots"]);
      return found.flatMap(({ lease, view }) => {
        if (view === undefined || view.identity.state === "off" || view.roots.length === 0) return [];
        const known = view.roots.flatMap(({ certificates }) => certificates.map((root) => hexOf(root.fingerprint)));
        return known.includes(fingerprint) ? [] : [processName(lease)];
      });
    });
  } catch (error) {
    if (!(error instanceof CliError)) throw error;
    cli.trace(`no process can be asked: ${error.message}`);
    return [];
  }
}

/** Without colons, in lower case. */
export function hexOf(fingerprint: string): string {
  return fingerprint.replaceAll(":", "").toLowerCase();
}
