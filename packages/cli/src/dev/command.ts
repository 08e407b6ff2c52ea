/** `inmesh dev`: the command line of it. */

import { Command } from "commander";
import { action, type CommandPorts } from "../command/define.js";
import { runDev } from "./dev.js";

export interface DevOptions {
  readonly config?: string;
  readonly registry?: string;
  readonly namespace?: string;
  readonly script?: string;
  readonly story?: string;
  readonly keep?: boolean;
  readonly plain?: boolean;
  readonly color: boolean;
}

const EXAMPLES = `
Each command may begin with a name, a version and variables: [name[@version]=][VARIABLE=value]… command
  inmesh dev -- node web.js -- node reviews.js
  inmesh dev -- web=node a.js -- reviews@v1=PORT=0 node b.js -- reviews@v2=PORT=0 node b2.js
  inmesh dev -- web=npm start -- reviews=node b.js
The processes find each other by these names (http://reviews/). Without a name it is that of the nearest package.json.
The same name again makes a replica; replicas after the first get PORT=0, any free port.

Keys: k kills a replica, o switches policy off and on, f injects a fault, w tells the last request's story, q quits.
Off a terminal there are plain lines and no keys; INMESH_DEV_KEYS=1 reads keys from a pipe.
`;

export function devCommand(ports: CommandPorts): Command {
  return new Command("dev")
    .description("run services as a mesh on this machine, unchanged, and watch what flows")
    .argument("[command...]", "commands to run, separated by --")
    .option("--config <dir>", "folder of the registry (default: ./mesh if there, else one that is removed at the end)")
    .option(
      "--registry <registry>",
      "consul: a Consul of the session's own; consul://host:8500: one that runs (policy: the files of --config)",
    )
    .option("-n, --namespace <name>", "namespace of the services (default: INMESH_NAMESPACE, else default)")
    .option("--script <file>", "a module that plays a session by itself")
    .option("--story <name>", "with --script: play <name>.js of the same folder instead")
    .option("--keep", "keep running after the script")
    .option("--plain", "print plain lines even on a terminal")
    .option("--no-color", "print without colour, as NO_COLOR=1 does")
    .passThroughOptions()
    .usage("[options] -- [name=]command… [-- [name=]command…]…")
    .addHelpText("after", EXAMPLES)
    .action(action<[readonly string[]], DevOptions>(ports, (cli, [words], options) => runDev(cli, words, options)));
}
