/** `inmesh ca …`: the mesh's certificate authority in a folder. */

import { Command } from "commander";
import type { CommandPorts } from "../command/define.js";
import { bundleCommand } from "./bundle.js";
import { initCommand } from "./init.js";
import { rotateCommand } from "./rotate.js";
import { signCommand } from "./sign.js";
import { statusCommand } from "./status.js";

const NOTE = `
The CA of a folder registry is made by the first process of the mesh; \`init\` is for making it yourself, with a root that is
kept elsewhere, say. Whoever can read its folder can be anybody in the mesh. No command prints a private key.
`;

export function caCommand(ports: CommandPorts): Command {
  return new Command("ca")
    .description("make, show and rotate the authority that gives the mesh its certificates")
    .helpCommand(false)
    .addCommand(initCommand(ports))
    .addCommand(statusCommand(ports))
    .addCommand(rotateCommand(ports))
    .addCommand(bundleCommand(ports))
    .addCommand(signCommand(ports))
    .addHelpText("after", NOTE);
}
