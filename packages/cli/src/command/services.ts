/** `inmesh services`: who can be called. */

import { type ServiceView, snapshotView } from "@inmesh/core/admin";
import { Command, Option } from "commander";
import { EXIT } from "../exit.js";
import { formatOf, type RegistryOptions, withAllNamespaces, withCommon, withRegistry } from "../options.js";
import { LIST_FORMATS, printListing } from "../output/format.js";
import { snapshotSeen } from "../registry/client-context.js";
import { findServices } from "../registry/find-services.js";
import { type OpenRegistry, withOpenRegistry } from "../registry/open-registry.js";
import { action, type CommandPorts } from "./define.js";

export interface ViewOptions extends RegistryOptions {
  readonly from?: string;
}

export function withFrom(command: Command): Command {
  return command.addOption(
    new Option("--from <service>", "see the mesh as this service does: service, ns/service or service.ns"),
  );
}

const EXAMPLES = `
Examples:
  inmesh services                       all of them
  inmesh services --from shop/web       those that web may see
`;

export function servicesCommand(ports: CommandPorts): Command {
  const command = withFrom(
    new Command("services").description("list the services that can be called").addHelpText("after", EXAMPLES),
  );
  return withAllNamespaces(withRegistry(withCommon(command, LIST_FORMATS))).action(
    action<[], ViewOptions>(ports, (cli, _, options) =>
      withOpenRegistry(options, cli, async (registry) => {
        const snapshot = await snapshotSeen(registry, options, cli);
        const { services } = snapshotView(snapshot, []);
        const rows = findServices(services, undefined, options.namespace);
        printListing(cli, formatOf(options), {
          rows,
          json: { services: rows },
          name: ({ host }) => host,
          empty: `No service in "${registry.shown}" yet. Start one with: inmesh dev -- node server.js`,
          columns: [
            { title: "NAMESPACE", cell: ({ namespace }) => namespace },
            { title: "NAME", cell: ({ name }) => name },
            { title: "PORTS", cell: portsText },
            { title: "ENDPOINTS", cell: ({ endpoints }) => `${endpoints}`, align: "right" },
            { title: "HOST", cell: ({ host }) => host },
            { title: "DEFINED BY", cell: ({ resource }) => resource || definer(registry) },
            { title: "RESOLUTION", cell: ({ resolution }) => resolution, wide: true },
            { title: "LOCATION", cell: ({ location }) => location, wide: true },
          ],
        });
        return EXIT.ok;
      }),
    ),
  );
}

/** Of services that no document speaks of. */
function definer({ profile }: OpenRegistry): string {
  return profile === "envoy" || profile === "grpc" ? "the control plane" : "its processes";
}

function portsText({ ports }: ServiceView): string {
  return ports
    .map(({ number, protocol }) => (protocol === "unknown" ? `${number}` : `${number}/${protocol}`))
    .join(",");
}
