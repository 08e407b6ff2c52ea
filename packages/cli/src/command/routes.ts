/** `inmesh routes`: the rules a call meets, in the order they are tried. */

import { type RouteView, snapshotView, type VirtualHostView } from "@inmesh/core/admin";
import type { Snapshot } from "@inmesh/model";
import { Command } from "commander";
import { EXIT } from "../exit.js";
import { formatOf, withAllNamespaces, withCommon, withRegistry } from "../options.js";
import { formatMs, LIST_FORMATS, printListing } from "../output/format.js";
import { placeOf } from "../output/problems.js";
import { snapshotSeen } from "../registry/client-context.js";
import { findServices } from "../registry/find-services.js";
import { withOpenRegistry } from "../registry/open-registry.js";
import { action, type CommandPorts } from "./define.js";
import { type ViewOptions, withFrom } from "./services.js";

interface Row extends RouteView {
  readonly virtualHost: string;
  /** 1 is tried first. */
  readonly order: number;
}

const EXAMPLES = `
Examples:
  inmesh routes                             every rule of every host
  inmesh routes reviews --from shop/web     the rules that calls from web to reviews meet
See also: inmesh explain, which tells what they do with one request.
`;

export function routesCommand(ports: CommandPorts): Command {
  const command = withFrom(
    new Command("routes")
      .description("list the routing rules of services, in the order they are tried")
      .argument("[service]", "service, service.namespace, namespace/service or host")
      .addHelpText("after", EXAMPLES),
  );
  return withAllNamespaces(withRegistry(withCommon(command, LIST_FORMATS))).action(
    action<[string | undefined], ViewOptions>(ports, (cli, [service], options) =>
      withOpenRegistry(options, cli, async (registry) => {
        const snapshot = await snapshotSeen(registry, options, cli);
        const { services, virtualHosts } = snapshotView(snapshot, []);
        const hosts = wantedHosts(virtualHosts, services, service, options.namespace);
        const rows = hosts.flatMap(({ name, routes }) =>
          routes.map((route, at): Row => ({ ...route, virtualHost: name, order: at + 1 })),
        );
        printListing(cli, formatOf(options), {
          rows,
          json: { virtualHosts: hosts },
          name: ({ virtualHost, name }) => `${virtualHost} ${name}`,
          empty: "No host has a rule: every call would leave the mesh. See: inmesh services",
          columns: [
            { title: "HOST", cell: ({ virtualHost }) => virtualHost },
            { title: "#", cell: ({ order }) => `${order}`, align: "right" },
            { title: "NAME", cell: ({ name }) => name },
            { title: "MATCH", cell: ({ matches }) => matches.join(" or ") || "everything" },
            { title: "ACTION", cell: ({ action: text }) => text },
            { title: "TIMEOUT", cell: ({ timeoutMs }) => (timeoutMs === 0 ? "" : formatMs(timeoutMs)), align: "right" },
            { title: "RETRIES", cell: retriesText },
            { title: "DEFINED BY", cell: ({ resource }) => resource || "default" },
            { title: "WHERE", cell: ({ resource }) => whereOf(snapshot, resource), wide: true },
          ],
        });
        return EXIT.ok;
      }),
    ),
  );
}

/** File and line of the resource. */
function whereOf(snapshot: Snapshot, key: string): string {
  const origin = snapshot.resource?.(key)?.origin;
  return origin === undefined ? "" : placeOf({ ...origin, column: 0 });
}

/** Hosts of the services named; a VirtualService may also name a host that no service has. */
function wantedHosts(
  hosts: readonly VirtualHostView[],
  services: Parameters<typeof findServices>[0],
  name: string | undefined,
  namespace: string | undefined,
): readonly VirtualHostView[] {
  const hostOf = ({ name: host }: VirtualHostView): string => host.slice(0, host.lastIndexOf(":"));
  if (name === undefined && namespace === undefined) return hosts;
  const byHost = name === undefined ? [] : hosts.filter((host) => hostOf(host) === name || host.name === name);
  if (byHost.length > 0) return byHost;
  const wanted = new Set(findServices(services, name, namespace).map(({ host }) => host));
  return hosts.filter((host) => wanted.has(hostOf(host)));
}

function retriesText({ maxAttempts, retryOn }: RouteView): string {
  return maxAttempts <= 1 ? "" : `${maxAttempts - 1} on ${retryOn.join(",")}`;
}
