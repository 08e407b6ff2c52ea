/** What suggested policies would deny, beside all policy that is in force: judged by the functions that servers ask. */

import { authorize } from "@inmesh/core";
import type { ObservedCall } from "@inmesh/core/admin";
import { ANY_REST, ANY_SEGMENT } from "@inmesh/core/internal";
import { documentFromValue } from "@inmesh/model";
import type { Cli } from "../cli.js";
import { clientContext } from "../registry/client-context.js";
import { compileView } from "../registry/compile-view.js";
import type { OpenRegistry } from "../registry/open-registry.js";
import type { ObservedService } from "./suggestion.js";

export interface WouldDeny extends ObservedCall {
  readonly reason: string;
}

/** @param policies all that are suggested: one service's may concern another's processes */
export async function rehearse(
  cli: Cli,
  registry: OpenRegistry,
  { namespace, service, leases, calls }: ObservedService,
  policies: readonly Readonly<Record<string, unknown>>[],
): Promise<readonly WouldDeny[]> {
  const added = policies.flatMap((policy) => documentFromValue(policy).documents);
  const keys = new Set(added.map(({ key }) => key));
  const { view } = registry;
  const documents = [...view.documents.filter(({ key }) => !keys.has(key)), ...added];
  const workload = clientContext(`${namespace}/${service}`, namespace, view.leases);
  const { snapshot } = await compileView({ ...view, documents }, workload, cli.io.clock);
  if (snapshot === undefined) return [];
  const port = leases[0]?.ports[0]?.number;
  return calls.flatMap((call) => {
    const { allowed, reason } = authorize(snapshot, {
      ...{ method: call.method, path: exampleOf(call.path), host: service, principal: call.caller },
      ...(port !== undefined && { port }),
    });
    return allowed ? [] : [{ ...call, reason }];
  });
}

/** Some path that a template stands for. */
function exampleOf(template: string): string {
  return template.replaceAll(ANY_REST, "x").replaceAll(ANY_SEGMENT, "x");
}
