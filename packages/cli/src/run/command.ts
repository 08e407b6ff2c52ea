/** `inmesh run`: the command line of it. */

import { Command } from "commander";
import { action, type CommandPorts } from "../command/define.js";
import { withSwitches } from "../options.js";
import { runProgram } from "./run.js";

export interface RunOptions {
  readonly service?: string;
  readonly config?: string;
  readonly namespace?: string;
  readonly quiet?: boolean;
  readonly verbose?: boolean;
  readonly color?: boolean;
}

const EXAMPLES = `
The command may begin with a name, a version and variables: [name[@version]=][VARIABLE=value]… command
  inmesh run -- node server.js
  inmesh run -- npm start
  inmesh run -n shop -- reviews@v2=PORT=0 node server.js

Nothing of the program changes: NODE_OPTIONS loads inmesh before its first line, after what you preload yourself.
Signals go to the program, and the exit code is the program's own; 128 and the signal's number when one ended it.
`;

export function runCommand(ports: CommandPorts): Command {
  const command = new Command("run")
    .description("run one program in the mesh, unchanged")
    .argument("[command...]", "the program and its arguments, after --")
    .option("--service <name>", "its name in the mesh (default: INMESH_SERVICE, else inmesh.yaml, else package.json)")
    .option("-n, --namespace <name>", "its namespace (default: INMESH_NAMESPACE, else inmesh.yaml, else default)")
    .option("--config <registry>", "the registry (default: INMESH_CONFIG, else inmesh.yaml, else ./mesh)")
    .passThroughOptions()
    .usage("[options] -- [name=]command…")
    .addHelpText("after", EXAMPLES);
  return withSwitches(command).action(
    action<[readonly string[]], RunOptions>(ports, (cli, [words], options) => runProgram(cli, words, options)),
  );
}
