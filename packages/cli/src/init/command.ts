/** `inmesh init`: the command line of it. */

import { Command } from "commander";
import { action, type CommandPorts } from "../command/define.js";
import { type CommonOptions, withCommon } from "../options.js";
import { REPORT_FORMATS } from "../output/format.js";
import { initPackage } from "./init.js";

export interface InitOptions extends CommonOptions {
  readonly service?: string;
  readonly namespace?: string;
  readonly config?: string;
  /** False: `--no-script`. */
  readonly script?: string | false;
  readonly yes?: boolean;
  readonly force?: boolean;
  readonly dryRun?: boolean;
}

const EXAMPLES = `
Examples:
  inmesh init                                    asks, on a terminal
  inmesh init --yes                              takes the defaults: name from package.json, registry ./mesh
  inmesh init --yes --service web --config ../mesh
  inmesh init --dry-run                          says what it would write

Writes inmesh.yaml, makes the registry folder, and adds a script to package.json. What is there already is kept and
named; only --force replaces it. Nothing is installed and no source file is touched.
`;

export function initCommand(ports: CommandPorts): Command {
  const command = new Command("init")
    .description("prepare the package in this folder for the mesh")
    .option("--service <name>", "its name in the mesh (default: the name in package.json)")
    .option("-n, --namespace <name>", 'its namespace (default: "default")')
    .option("--config <dir>", "the registry (default: ../mesh where only that is there, else ./mesh)")
    .option("--script <name>", "name of the script to add (default: start:mesh)")
    .option("--no-script", "add no script")
    .option("-y, --yes", "take the defaults and ask nothing")
    .option("--force", "replace inmesh.yaml and a script of that name")
    .option("--dry-run", "say what would be written")
    .addHelpText("after", EXAMPLES);
  return withCommon(command, REPORT_FORMATS).action(
    action<[], InitOptions>(ports, (cli, _, options) => initPackage(cli, options)),
  );
}
