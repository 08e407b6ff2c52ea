/** Whose view of the mesh a command takes: `--from shop/web`. */

import type { Lease } from "@inmesh/core";
import type { ClientContext, Snapshot } from "@inmesh/model";
import type { Cli } from "../cli.js";
import { CliError, EXIT } from "../exit.js";
import { namespaceOf, type RegistryOptions } from "../options.js";
import type { ClientView } from "./client-view.js";
import type { OpenRegistry } from "./open-registry.js";

/** `service`, `ns/service` or `service.ns`. @throws {CliError} */
export function parseServiceName(text: string, namespace: string): { namespace: string; service: string } {
  const [, slashNamespace, slashName] = /^([^/.]+)\/([^/.]+)$/.exec(text) ?? [];
  if (slashNamespace !== undefined && slashName !== undefined) return { namespace: slashNamespace, service: slashName };
  const [, name, dotNamespace = namespace] = /^([^/.]+)(?:\.([^/.]+)(?:\.svc(?:\..*)?)?)?$/.exec(text) ?? [];
  if (name !== undefined) return { namespace: dotNamespace, service: name };
  throw new CliError(
    EXIT.usage,
    `"${text}" names no service`,
    "Write service, namespace/service or service.namespace.",
  );
}

/**
 * A running process of that service lends its labels, locality and account, since policy may ask for them. Without one
 * the labels are those a process gets by default.
 *
 * @param from undefined: an anonymous caller in `namespace`
 */
export function clientContext(from: string | undefined, namespace: string, leases: readonly Lease[]): ClientContext {
  if (from === undefined) return { namespace, service: "", labels: {} };
  const name = parseServiceName(from, namespace);
  const lease = leases.find((each) => each.namespace === name.namespace && each.service === name.service);
  if (lease === undefined) return { ...name, labels: { app: name.service } };
  const { labels, locality, serviceAccount } = lease;
  return {
    ...name,
    labels,
    ...(locality && { locality }),
    ...(serviceAccount !== undefined && { serviceAccount }),
  };
}

/** What a client is sent: the one that `--from` names, else any of the namespace looked in. */
export async function snapshotSeen(
  registry: OpenRegistry,
  options: RegistryOptions & { readonly from?: string },
  cli: Cli,
): Promise<Snapshot> {
  return (await clientViewSeen(registry, options, cli)).snapshot;
}

/** The same with what is refused of it. */
export function clientViewSeen(
  registry: OpenRegistry,
  options: RegistryOptions & { readonly from?: string },
  cli: Cli,
): Promise<ClientView> {
  return registry.viewOf(clientContext(options.from, namespaceOf(options, cli), registry.view.leases));
}
