/** The trust domain that policy says (MeshConfig), beside the one that the CA has. */

import type { Cli } from "../cli.js";
import { CliError } from "../exit.js";
import { snapshotSeen } from "../registry/client-context.js";
import { withOpenRegistry } from "../registry/open-registry.js";
import type { CaOptions } from "./authority.js";

/** @returns undefined where there is no registry to ask: a CA may be there first */
export async function policyTrustDomain(options: CaOptions, cli: Cli): Promise<string | undefined> {
  try {
    return await withOpenRegistry(options, cli, async (registry) => {
      const { security } = await snapshotSeen(registry, options, cli);
      return security.trustDomains[0];
    });
  } catch (error) {
    if (!(error instanceof CliError)) throw error;
    cli.trace(`no policy says a trust domain: ${error.message}`);
    return undefined;
  }
}
