/** `inmesh xds`: what a control plane would send to this process, now, over time, and compared. */

import { Command } from "commander";
import { action, type CommandPorts } from "../command/define.js";
import { withCommon, withSwitches } from "../options.js";
import { REPORT_FORMATS } from "../output/format.js";
import { withXds, type XdsOptions } from "./options.js";

const HELP = `
URL is one of INMESH_CONFIG: xds://istiod.istio-system:15010?profile=api|envoy|grpc, or xds:// for the bootstrap file of gRPC. Without
--type everything of the profile is asked for: Istio's resources, or listeners, routes, clusters and endpoints.
Examples:
  inmesh xds dump xds://istiod.istio-system:15010 > mesh.yaml
  inmesh xds dump 'xds://127.0.0.1:18000?profile=envoy' --type clusters -o json
  inmesh xds watch xds://127.0.0.1:15010 --type VirtualService
  inmesh xds diff xds://127.0.0.1:15010 mesh.yaml
`;

export function xdsCommand(ports: CommandPorts): Command {
  return new Command("xds")
    .description("show what an xDS control plane would send to this process: dump, watch, diff")
    .helpCommand(false)
    .addCommand(dumpCommand(ports))
    .addCommand(watchCommand(ports))
    .addCommand(diffCommand(ports))
    .addHelpText("after", HELP);
}

// What speaks xDS is loaded by those who ask for it: other commands start without.

function dumpCommand(ports: CommandPorts): Command {
  const command = new Command("dump")
    .description("print every resource that it tells")
    .argument("<url>", "of the control plane")
    .addHelpText("after", HELP);
  return withXds(withCommon(command, ["yaml", "json"])).action(
    action<[string], XdsOptions>(ports, async (cli, [url], options) =>
      (await import("./dump.js")).dump(cli, url, options),
    ),
  );
}

function watchCommand(ports: CommandPorts): Command {
  const command = new Command("watch")
    .description("print a line for each resource that comes (+), changes (~) or goes (-), until Ctrl-C")
    .argument("<url>", "of the control plane")
    .addHelpText("after", HELP);
  return withXds(withSwitches(command)).action(
    action<[string], XdsOptions>(ports, async (cli, [url], options) =>
      (await import("./watch.js")).watch(cli, url, options),
    ),
  );
}

function diffCommand(ports: CommandPorts): Command {
  const command = new Command("diff")
    .description(
      "compare what it tells with a file of dump, or with another control plane; exit code 1 when they differ",
    )
    .argument("<url>", "of the control plane")
    .argument("<other>", "a file, YAML or JSON, or a URL")
    .addHelpText("after", HELP);
  return withXds(withCommon(command, REPORT_FORMATS)).action(
    action<[string, string], XdsOptions>(ports, async (cli, [url, other], options) =>
      (await import("./diff.js")).diff(cli, [url, other], options),
    ),
  );
}
