/** Options that the commands of `inmesh xds` share. */

import { type Command, Option } from "commander";
import { type CommonOptions, collect, timeoutOption } from "../options.js";

export interface XdsOptions extends CommonOptions {
  readonly type?: readonly string[];
  readonly name?: readonly string[];
  readonly namespace?: string;
  readonly service?: string;
  /** In ms. */
  readonly timeout: number;
}

export function withXds(command: Command): Command {
  return command
    .addOption(
      new Option(
        "--type <type>",
        "listeners, routes, clusters, endpoints, an Istio kind, or a message's full name",
      ).argParser(collect),
    )
    .addOption(
      new Option("--name <name>", "of the first type only this resource, and what it leads to").argParser(collect),
    )
    .option("-n, --namespace <name>", "namespace of the process that asks")
    .option("--service <name>", "its service, label app (default: INMESH_SERVICE, else inmesh)")
    .addOption(timeoutOption(10_000, "give up when something is unanswered after this long"));
}
